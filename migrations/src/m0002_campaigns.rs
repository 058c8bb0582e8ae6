//! Campaigns, their ledgers and the lanes of their replies.

#![expect(elided_lifetimes_in_paths, reason = "the trait declares its lifetimes so")]

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob, blob_null, boolean, integer, integer_null, string_len,
    string_len_null, text,
};

use crate::key;

/// Creates what starting and following campaigns needs.
///
/// - `campaign`: one row per campaign.
/// - `campaign_list`: the ids of its frozen list of shops, a few thousand in a row, one in a
///   line. A table of its own, because it never changes: entering outcomes does not write it.
/// - `campaign_chunk`: the outcomes of the same shops, one byte a shop and phase, details only
///   of what was not plain success. Never a row per shop.
/// - `reply_lane`: who reads which lane of replies, and how far.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(campaign()).await?;
        manager.create_table(campaign_list()).await?;
        manager.create_table(campaign_chunk()).await?;
        manager.create_table(reply_lane()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["reply_lane", "campaign_chunk", "campaign_list", "campaign"] {
            manager.drop_table(Table::drop().table(table).take()).await?;
        }
        Ok(())
    }
}

fn campaign() -> TableCreateStatement {
    Table::create()
        .table("campaign")
        .col(big_integer("revision").primary_key())
        .col(string_len("id", 36))
        .col(big_integer("nonce"))
        .col(string_len("kind", 31))
        .col(string_len("limited_to", 16))
        .col(text("reason"))
        .col(big_integer("shops"))
        .col(big_integer("created_at"))
        .col(big_integer("timeout_ms"))
        .col(big_integer_null("until"))
        .col(big_integer_null("replaces_revision"))
        .col(string_len_null("replaces_id", 36))
        .col(big_integer_null("replaces_deadline"))
        .col(big_integer_null("replaced_by"))
        .col(integer_null("reply_lane"))
        .col(integer("attempt"))
        .col(big_integer("deadline"))
        .col(string_len("state", 8))
        .col(big_integer("open"))
        .take()
}

fn campaign_list() -> TableCreateStatement {
    Table::create()
        .table("campaign_list")
        .col(big_integer("revision"))
        .col(big_integer("number"))
        .col(text("ids"))
        .primary_key(&mut key(&["revision", "number"]))
        .take()
}

fn campaign_chunk() -> TableCreateStatement {
    Table::create()
        .table("campaign_chunk")
        .col(big_integer("revision"))
        .col(big_integer("number"))
        .col(integer("lane"))
        .col(big_integer("first"))
        .col(big_integer("shops"))
        .col(integer_null("sent"))
        .col(big_integer("open"))
        .col(blob("activations"))
        .col(blob("releases"))
        .col(blob_null("details"))
        .primary_key(&mut key(&["revision", "number"]))
        .take()
}

fn reply_lane() -> TableCreateStatement {
    Table::create()
        .table("reply_lane")
        .col(integer("lane").primary_key())
        .col(string_len("log_id", 32))
        .col(boolean("log_lasting"))
        .col(string_len_null("holder", 36))
        .col(big_integer("epoch"))
        .col(big_integer("position"))
        .col(big_integer_null("leased_until"))
        .take()
}
