//! Shops, the lanes of requests and their receipts.

#![expect(elided_lifetimes_in_paths, reason = "the trait declares its lifetimes so")]

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, blob_null, boolean, double, integer, small_integer,
    string_len, string_len_null, text,
};
use sea_orm_migration::sea_orm::DbBackend;

use crate::{bytewise, clustered, key};

/// Creates what applying requests needs.
///
/// - `installation`: one row: how many lanes the database was made for, the newest revision
///   that was given out, and how many imports there were.
/// - `shop`: what shops are. Kept, as the next, in the order of (lane, id).
/// - `shop_state`: what is in force at them. A table of its own, because a batch writes whole
///   rows of neighbours, and the bytes written are its cost. `causes` is one value: a row per
///   cause would halve the speed.
/// - `lane_state`: one row per lane of requests: its owner and how far it was applied.
/// - `receipt`: one row per batch, because a row per shop would take a quarter of the speed.
///   The epoch is in its key, since the positions of a log that is new with its process
///   begin anew, but epochs never do.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let mut installation = Table::create();
        installation
            .table("installation")
            .col(integer("id").primary_key())
            .col(integer("lanes"))
            .col(big_integer("revision"))
            .col(big_integer("imports"));
        manager.create_table(installation).await?;
        manager.create_table(clustered(&mut shop(backend), backend).take()).await?;
        manager.create_table(clustered(&mut shop_state(backend), backend).take()).await?;
        manager.create_table(lane_state()).await?;
        manager.create_table(receipt()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["receipt", "lane_state", "shop_state", "shop", "installation"] {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}

fn shop(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("shop")
        .col(integer("lane"))
        .col(bytewise(string_len("id", 128), backend))
        .col(text("name"))
        .col(bytewise(text("category"), backend))
        .col(bytewise(text("region"), backend))
        .col(double("latitude"))
        .col(double("longitude"))
        .primary_key(&mut key(&["lane", "id"]))
        .take()
}

fn shop_state(backend: DbBackend) -> TableCreateStatement {
    Table::create()
        .table("shop_state")
        .col(integer("lane"))
        .col(bytewise(string_len("id", 128), backend))
        .col(integer("base_radius"))
        .col(big_integer("base_revision"))
        .col(small_integer("base_effect"))
        .col(integer("radius"))
        .col(big_integer("version"))
        .col(blob_null("causes"))
        .primary_key(&mut key(&["lane", "id"]))
        .take()
}

fn lane_state() -> TableCreateStatement {
    Table::create()
        .table("lane_state")
        .col(integer("lane").primary_key())
        .col(string_len("log_id", 32))
        .col(boolean("log_lasting"))
        .col(big_integer("epoch"))
        .col(big_integer("applied_next"))
        .col(big_integer("replied_next"))
        .col(string_len_null("last_id", 36))
        .col(big_integer_null("expired_up_to"))
        .take()
}

fn receipt() -> TableCreateStatement {
    Table::create()
        .table("receipt")
        .col(integer("lane"))
        .col(big_integer("epoch"))
        .col(big_integer("from_position"))
        .col(big_integer("to_position"))
        .col(string_len("log_id", 32))
        .col(big_integer("stored_at"))
        .col(blob("entries"))
        .primary_key(&mut key(&["lane", "epoch", "from_position"]))
        .take()
}
