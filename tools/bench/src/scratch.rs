//! Temporary topics and a temporary schema, on the servers that the user names.

use std::num::NonZeroU16;

use anyhow::Context as _;
use catchment_request_reply::{NewTopic, Settings, Topics};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use uuid::Uuid;

use crate::programs::{Programs, Variables};
use crate::report::note;

/// The endings of all topics: those that `catchment topics create` makes, and our own.
const TOPICS: [&str; 7] = [
    ".requests",
    ".requests-dlt",
    ".requests.reply",
    ".requests-replies",
    ".replies",
    ".raw.requests",
    ".raw.replies",
];
/// A requester leases one partition, and our calls use the other.
const REPLY_PARTITIONS: u16 = 2;

/// Where the servers are.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    pub(crate) brokers: String,
    /// The URL of a database in which a schema can be made.
    pub(crate) database: String,
}

/// Topics, a group and a schema for one run.
#[derive(Debug)]
pub(crate) struct Scratch {
    servers: Servers,
    name: String,
    topics: Topics,
}

impl Scratch {
    /// Finds new names. Nothing is made yet.
    ///
    /// # Errors
    ///
    /// When the brokers' addresses cannot be used.
    pub(crate) fn new(servers: Servers) -> anyhow::Result<Self> {
        let name = format!("bench_{}", Uuid::now_v7().simple());
        let topics = Topics::new(&Settings::new(&servers.brokers, &name))?;
        Ok(Self { servers, name, topics })
    }

    /// Makes schema and topics.
    ///
    /// # Errors
    ///
    /// When a server cannot be reached, or refuses.
    pub(crate) async fn make(
        &self,
        programs: &Programs,
        partitions: NonZeroU16,
    ) -> anyhow::Result<()> {
        self.execute(&format!("CREATE SCHEMA {}", self.name)).await?;
        let variables = self.variables(partitions);
        programs.catchment(&variables, &["database", "migrate"]).await?;
        let replies = REPLY_PARTITIONS.to_string();
        let create = ["topics", "create", "--reply-partitions", &replies];
        programs.catchment(&variables, &create).await?;
        let [requests, replies] = self.raw();
        for (name, partitions) in [(requests, partitions.get()), (replies, REPLY_PARTITIONS)] {
            let partitions = partitions.into();
            let topic = NewTopic { name, partitions, replication: None, properties: Vec::new() };
            self.topics.create(&topic).await?;
        }
        Ok(())
    }

    /// Returns the servers.
    pub(crate) const fn servers(&self) -> &Servers {
        &self.servers
    }

    /// Returns the name of the schema, which is also the prefix of the topics.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the topics for requests and replies.
    pub(crate) fn topics(&self) -> [String; 2] {
        [format!("{}.requests", self.name), format!("{}.replies", self.name)]
    }

    /// Returns the topics for raw messages there and back.
    pub(crate) fn raw(&self) -> [String; 2] {
        [format!("{}.raw.requests", self.name), format!("{}.raw.replies", self.name)]
    }

    /// Returns the URL of the schema.
    pub(crate) fn url(&self) -> String {
        let Self { servers: Servers { database, .. }, name, .. } = self;
        let sign = if database.contains('?') { '&' } else { '?' };
        format!("{database}{sign}options[search_path]={name}")
    }

    /// Returns the settings of the programs.
    pub(crate) fn variables(&self, partitions: NonZeroU16) -> Variables {
        let [requests, replies] = self.topics();
        vec![
            ("CATCHMENT__DATABASE__URL", self.url()),
            ("CATCHMENT__DATABASE__LANES", partitions.to_string()),
            ("CATCHMENT__KAFKA__BOOTSTRAP_SERVERS", self.servers.brokers.clone()),
            ("CATCHMENT__KAFKA__GROUP_ID", self.name.clone()),
            ("CATCHMENT__KAFKA__REQUESTS_TOPIC", requests),
            ("CATCHMENT__KAFKA__REPLIES_TOPIC", replies),
        ]
    }

    /// Removes schema and topics. Says what could not be removed. A leftover is harmless: every run
    /// makes its own.
    pub(crate) async fn remove(&self) {
        let drop = format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name);
        if let Err(error) = self.execute(&drop).await {
            note(format_args!("could not drop the schema {}: {error:#}", self.name));
        }
        for ending in TOPICS {
            let topic = format!("{}{ending}", self.name);
            if let Err(error) = self.topics.delete(&topic).await {
                note(format_args!("could not delete the topic {topic}: {error}"));
            }
        }
    }

    async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        let database = PgConnection::connect(&self.servers.database).await;
        let mut database = database.context("could not reach the database")?;
        database.execute(AssertSqlSafe(sql.to_owned())).await?;
        Ok(database.close().await?)
    }
}
