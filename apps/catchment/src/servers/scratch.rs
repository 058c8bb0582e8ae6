//! Temporary topics and a temporary schema for a demo or a benchmark, on the services of the
//! settings. They are removed at the end.

use std::num::NonZeroU16;
use std::time::Duration;

use anyhow::Context as _;
use catchment_bootstrap::chain;
use catchment_bootstrap::settings::{Database, Settings};
use catchment_domain::Lanes;
use catchment_kafka::KafkaCluster;

use super::topics;
use crate::commands::topics::Plan;
use crate::ending::{WrongUsage, complain};
use crate::random;
use crate::stores;

/// The topics of a demo: a requester leases one reply partition, and calls of this process use the
/// other.
const PLAN: Plan =
    Plan { reply_partitions: Some(NonZeroU16::MIN.saturating_add(1)), replication: None };
/// The approximate number of bytes of a request or a reply.
const MESSAGE_BYTES: usize = 250;
const NO_SERVER: &str = "over Kafka, shops and campaigns are kept in PostgreSQL: name a database, \
                         such as `--database postgres://user@host/name`";

/// Topics, a group and a schema for one run.
pub(crate) struct Scratch {
    cluster: KafkaCluster,
    /// The topics for raw messages only. They may not exist.
    raw: KafkaCluster,
    /// The database of the settings, without the schema.
    database: Database,
    schema: String,
}

impl Scratch {
    /// Makes topics and schema, and puts them into the settings.
    ///
    /// # Errors
    ///
    /// When Kafka or the database cannot be reached, or refuse. Everything that was made is then
    /// removed.
    pub(crate) async fn create(settings: &mut Settings, lanes: Lanes) -> anyhow::Result<Self> {
        if !settings.database.url.is_postgres() {
            return Err(WrongUsage(NO_SERVER).into());
        }
        let schema = format!("catchment_{:08x}", random::log_id() >> 96);
        let Settings { database, kafka, .. } = &mut *settings;
        database.lanes = lanes;
        let whole = database.clone();
        database.url = whole.url.with_schema(&schema);
        kafka.requests_topic = format!("{schema}.requests");
        kafka.replies_topic = format!("{schema}.replies");
        kafka.group_id.clone_from(&schema);
        let cluster = topics::connect(settings).await?;
        let raw = cluster
            .with_topics(&format!("{schema}.raw.requests"), &format!("{schema}.raw.replies"));
        let scratch = Self { cluster, raw, database: whole, schema };
        if let Err(error) = scratch.make(&settings.database).await {
            scratch.remove().await;
            return Err(error);
        }
        Ok(scratch)
    }

    /// Returns the name of the schema, which is also the prefix of the topics.
    pub(crate) fn name(&self) -> &str {
        &self.schema
    }

    async fn make(&self, database: &Database) -> anyhow::Result<()> {
        stores::create_schema(&self.database, &self.schema).await?;
        stores::migrate(database, false).await?;
        topics::create(&self.cluster, database.lanes, PLAN).await?.checked?;
        Ok(())
    }

    /// Returns how long this many messages take to Kafka and back, without any other work.
    ///
    /// # Errors
    ///
    /// When Kafka does not accept or return them.
    pub(crate) async fn raw_round_trip(
        &self,
        lanes: Lanes,
        count: u32,
    ) -> anyhow::Result<Duration> {
        topics::create(&self.raw, lanes, PLAN).await?.checked?;
        let trip = self.raw.raw_round_trip(count as usize, MESSAGE_BYTES).await;
        Ok(trip.context("could not send raw messages there and back")?.elapsed)
    }

    /// Removes the schema and the topics. Logs what could not be removed. A leftover schema or
    /// topic is harmless: every run makes its own.
    pub(crate) async fn remove(self) {
        let (schema, topics, raw) = tokio::join!(
            stores::drop_schema(&self.database, &self.schema),
            self.cluster.delete_topics(),
            self.raw.delete_topics(),
        );
        if let Err(error) = schema {
            complain(&chain(&*error));
        }
        if let Err(error) = topics.and(raw) {
            complain(&format!("could not delete the topics {}.*: {error}", self.schema));
        }
    }
}
