DROP TABLE import_receipt;
DROP TABLE receipt;
DROP TABLE left_log;
DROP TABLE lane_state;
DROP TABLE shop_state;
DROP TABLE shop;
DROP TABLE installation;
