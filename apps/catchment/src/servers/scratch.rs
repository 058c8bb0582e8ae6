//! Topics and a schema of their own for a demo or a benchmark, on the services that the
//! settings name. Nothing of them is left at the end.

use std::num::NonZeroU16;
use std::time::Duration;

use anyhow::Context as _;
use catchment_bootstrap::settings::{Database, Settings};
use catchment_domain::Lanes;
use catchment_kafka::KafkaCluster;

use super::topics;
use crate::commands::topics::Plan;
use crate::ending::{WrongUsage, complain};
use crate::random;
use crate::stores;

/// A requester leases one partition, and ad-hoc calls of this process read the other.
const PLAN: Plan =
    Plan { reply_partitions: Some(NonZeroU16::MIN.saturating_add(1)), replication: None };
/// About as many bytes as a request or its reply has.
const MESSAGE_BYTES: usize = 250;
const NO_SERVER: &str = "over Kafka, shops and campaigns are kept in PostgreSQL: name a database, \
                         such as `--database postgres://user@host/name`";

/// Topics, a group and a schema that nobody else has.
pub(crate) struct Scratch {
    cluster: KafkaCluster,
    /// Topics that only raw messages travel in, where somebody makes them.
    raw: KafkaCluster,
    /// The database as it was named, without the schema.
    database: Database,
    schema: String,
}

impl Scratch {
    /// Makes them, and the settings name them from then on.
    ///
    /// # Errors
    ///
    /// When Kafka or the database cannot be reached or refuse; what was made is removed then.
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

    /// What its topics begin with, and its schema is called.
    pub(crate) fn name(&self) -> &str {
        &self.schema
    }

    async fn make(&self, database: &Database) -> anyhow::Result<()> {
        stores::create_schema(&self.database, &self.schema).await?;
        stores::migrate(database, false).await?;
        topics::create(&self.cluster, database.lanes, PLAN).await?.checked?;
        Ok(())
    }

    /// How long so many messages take to Kafka and back, without anything else.
    ///
    /// # Errors
    ///
    /// When Kafka does not take or give them.
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
            complain(&format!("{error:#}"));
        }
        if let Err(error) = topics.and(raw) {
            complain(&format!("could not delete the topics {}.*: {error}", self.schema));
        }
    }
}
