DROP TABLE reply_lane;
DROP TABLE campaign_deleted;
DROP TABLE campaign_chunk;
DROP TABLE campaign_list;
DROP TABLE campaign;
