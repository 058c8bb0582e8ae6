//! A schema and topics for one test, on the services that the tests are given.

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use catchment_bootstrap::SystemClock;
use catchment_domain::ports::{
    CommitLog as _, LogInspection as _, ReplyChannel as _, ReplyLog as _, RequestChannel as _,
    RequestLog as _,
};
use catchment_domain::{Committed, Lane, Lanes, Position, Reply, ReplyLane, Request};
use catchment_kafka::{ClientSettings, GroupEvent, KafkaCluster, KafkaSettings};
use catchment_seaorm::{OpenError, SeaOrmStore, StoreSettings};
use serde_json::Value;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::app::{HEADER, Ran, TestApp};

/// The number of lanes.
pub(crate) const LANES: u16 = 4;

/// All tables except the table of the schema's steps.
const TABLES: [&str; 12] = [
    "installation",
    "shop",
    "shop_state",
    "lane_state",
    "left_log",
    "receipt",
    "import_receipt",
    "campaign",
    "campaign_list",
    "campaign_chunk",
    "campaign_deleted",
    "reply_lane",
];

/// A schema and topics, which are removed when this is dropped, and a folder in which the command
/// runs.
pub(crate) struct World {
    app: TestApp,
    name: String,
    /// With what the names of its topics begin.
    topics: String,
    lanes: u16,
    runtime: Runtime,
}

impl World {
    /// Makes a schema without tables, and no topics.
    pub(crate) fn empty() -> Self {
        // If a server is missing, this fails before there is anything to clean up.
        let (url, _) = (database(), brokers());
        let name = format!("it_{}", Uuid::now_v7().simple());
        let (app, runtime) = (TestApp::empty(), Runtime::new().unwrap());
        let world = Self { app, topics: name.clone(), name, lanes: LANES, runtime };
        let (sql, settings) = (format!("CREATE SCHEMA {}", world.name), store_settings());
        let made = SeaOrmStore::execute_as_another(&url, &sql, &settings);
        world.runtime.block_on(made).unwrap();
        world
    }

    /// Makes tables and topics.
    pub(crate) fn without_shops() -> Self {
        let world = Self::empty();
        world.run(&["database", "migrate"]).done();
        world.run(&["topics", "create", "--reply-partitions", "2"]).done();
        world
    }

    /// Makes tables, topics and three shops.
    pub(crate) fn with_shops() -> Self {
        let world = Self::without_shops();
        let rows = ["a,Acorn,cafe,Hackney,51.5,-0.1", "b,Birch,pub,Hackney,51.5,-0.1"];
        let content = format!("{HEADER}\n{}\nc,Cedar,cafe,Haringey,51.6,-0.1\n", rows.join("\n"));
        world.app.file("shops.csv", content);
        assert_eq!(
            world.run(&["shops", "import", "shops.csv"]).done(),
            "added 3, updated 0, bad 0\n"
        );
        world
    }

    /// Returns the URL of the database, with the schema of its tables.
    pub(crate) fn url(&self) -> String {
        let whole = database();
        let joint = if whole.contains('?') { '&' } else { '?' };
        format!("{whole}{joint}options[search_path]={}", self.name)
    }

    /// Returns the settings of this world as environment variables.
    pub(crate) fn variables(&self) -> [(&'static str, String); 7] {
        [
            ("CATCHMENT__DATABASE__URL", self.url()),
            ("CATCHMENT__DATABASE__LANES", self.lanes.to_string()),
            ("CATCHMENT__DATABASE__CONNECT_TIMEOUT", "2s".to_owned()),
            ("CATCHMENT__KAFKA__BOOTSTRAP_SERVERS", brokers()),
            ("CATCHMENT__KAFKA__GROUP_ID", self.name.clone()),
            ("CATCHMENT__KAFKA__REQUESTS_TOPIC", format!("{}.requests", self.topics)),
            ("CATCHMENT__KAFKA__REPLIES_TOPIC", format!("{}.replies", self.topics)),
        ]
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.app.command(arguments);
        command.envs(self.variables());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).output().unwrap().into()
    }

    /// Writes a file into the folder in which the command runs.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) {
        self.app.file(name, content);
    }

    /// Runs the command with `--json`.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        self.run(&[&["--json"], arguments].concat()).value()
    }

    /// Makes topics for another number of lanes than the database has.
    pub(crate) fn create_topics_for(&self, lanes: u16) {
        let lanes = Lanes(NonZeroU16::new(lanes).unwrap());
        let made = async { self.cluster().await.create_topics(lanes, 1, None).await };
        self.runtime.block_on(made).unwrap();
    }

    /// From now on the settings name other topics, and so many lanes.
    pub(crate) fn name_other_topics(&mut self, lanes: u16) {
        self.topics = format!("{}_moved", self.name);
        self.lanes = lanes;
    }

    /// From now on the settings name so many lanes.
    pub(crate) const fn set_lanes(&mut self, lanes: u16) {
        self.lanes = lanes;
    }

    /// Uses the database as another program would.
    pub(crate) fn with_store<T>(&self, work: impl AsyncFnOnce(&SeaOrmStore) -> T) -> T {
        self.runtime.block_on(async {
            let store = SeaOrmStore::connect(&self.url(), &store_settings()).await.unwrap();
            let result = work(&store).await;
            store.close().await.unwrap();
            result
        })
    }

    /// Deletes both topics.
    pub(crate) fn delete_topics(&self) {
        self.runtime.block_on(async { self.cluster().await.delete_topics().await.unwrap() });
    }

    /// Returns how many requests there are in all lanes.
    pub(crate) fn requests(&self) -> u64 {
        let lanes = Lanes(NonZeroU16::new(LANES).unwrap());
        self.runtime.block_on(async {
            let lookout = self.cluster().await.lookout(lanes).unwrap();
            let ends = lookout.request_ends().await.unwrap();
            ends.into_values().map(|end| end.0).sum()
        })
    }

    /// Sends a request, as any client can that may write to the topic. Its partition is chosen among
    /// all that the topic has.
    pub(crate) fn send_request(&self, request: Request) {
        self.runtime.block_on(async {
            let cluster = self.cluster().await;
            let sender = cluster.sender().unwrap();
            let address = cluster.reply_log().await.unwrap().address(ReplyLane(0));
            let requests = cluster.request_channel(&sender, Arc::new(SystemClock));
            requests.send(vec![request], &address).await.unwrap();
        });
    }

    /// Deletes the requests of a partition before a position, as an operator can.
    pub(crate) fn delete_requests(&self, partition: Lane, before: Position) {
        self.runtime.block_on(async {
            self.cluster().await.delete_requests(partition, before).await.unwrap();
        });
    }

    /// Commits an offset of a lane to the consumers' group, as every member of the group can.
    pub(crate) fn commit(&self, lane: Lane, committed: Committed) {
        let lanes = Lanes(NonZeroU16::new(LANES).unwrap());
        self.runtime.block_on(async {
            let cluster = self.cluster().await;
            let (log, mut events) = cluster.join().unwrap();
            let partition = i32::from(lane.0);
            loop {
                let event = events.recv().await.unwrap();
                if let GroupEvent::Assigned { partitions, .. } = event
                    && partitions.contains(&partition)
                {
                    break;
                }
            }
            log.commit(lane, committed).await;
            let lookout = cluster.lookout(lanes).unwrap();
            while lookout.committed().await.unwrap().get(&lane) != Some(&committed) {}
            log.reader().close(Duration::from_secs(5)).await.unwrap();
        });
    }

    /// Sends a reply to a reply lane, as any client can that may write to the topic.
    pub(crate) fn forge_reply(&self, lane: ReplyLane, reply: Reply) {
        self.runtime.block_on(async {
            let cluster = self.cluster_of(&format!("{}_forger", self.name)).await;
            let sender = cluster.sender().unwrap();
            let (log, _events) = cluster.join().unwrap();
            let address = cluster.reply_log().await.unwrap().address(lane);
            let senders = (&sender, &cluster.peer_sender().unwrap());
            let replies = cluster.reply_channel(senders, &log, Arc::new(SystemClock));
            replies.send(vec![(address, reply)]).await.unwrap();
        });
    }

    /// Copies every table, as all of them are at one moment.
    pub(crate) fn back_up(&self) {
        let copies =
            TABLES.map(|table| format!("CREATE TABLE backup_{table} AS SELECT * FROM {table};"));
        let copies = copies.concat();
        self.execute(&format!("BEGIN ISOLATION LEVEL REPEATABLE READ; {copies} COMMIT"));
    }

    /// Puts the copies in the place of the tables, which services may be using.
    pub(crate) fn put_back(&self) {
        let back = TABLES.map(|table| format!("INSERT INTO {table} SELECT * FROM backup_{table};"));
        let back = back.concat();
        let all = TABLES.join(", ");
        let sql = format!(
            "BEGIN; SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; \
             TRUNCATE {all}; {back} COMMIT"
        );
        // If this and a service wait for each other, the server ends one of the transactions.
        while let Err(error) = self.try_execute(&sql) {
            assert!(error.to_string().contains("deadlock"), "{error}");
        }
    }

    pub(crate) fn execute(&self, sql: &str) {
        self.try_execute(sql).unwrap();
    }

    fn try_execute(&self, sql: &str) -> Result<(), OpenError> {
        let (url, settings) = (self.url(), store_settings());
        self.runtime.block_on(SeaOrmStore::execute_as_another(&url, sql, &settings))
    }

    /// Imports so many shops.
    pub(crate) fn import(&self, shops: u64) {
        let row = |number| format!("s-{number},Shop,cafe,Hackney,51.5,-0.1\n");
        let rows: String = (0..shops).map(row).collect();
        self.app.file("shops.csv", format!("{HEADER}\n{rows}"));
        self.run(&["shops", "import", "shops.csv"]).done();
    }

    async fn cluster(&self) -> KafkaCluster {
        self.cluster_of(&self.name).await
    }

    async fn cluster_of(&self, group: &str) -> KafkaCluster {
        cluster(&self.topics, group).await
    }
}

/// Connects to the topics whose names begin like this.
async fn cluster(topics: &str, group: &str) -> KafkaCluster {
    let settings = KafkaSettings {
        requests_topic: format!("{topics}.requests"),
        replies_topic: format!("{topics}.replies"),
        ..KafkaSettings::new(ClientSettings::new(brokers(), group))
    };
    KafkaCluster::connect(settings).await.unwrap()
}

impl Drop for World {
    fn drop(&mut self) {
        let (url, settings) = (database(), store_settings());
        // If something cannot be removed, the test's own failure must stay the only message.
        self.runtime.block_on(async {
            let sql = format!("DROP SCHEMA {} CASCADE", self.name);
            SeaOrmStore::execute_as_another(&url, &sql, &settings).await.ok();
            for topics in BTreeSet::from([&self.name, &self.topics]) {
                cluster(topics, &self.name).await.delete_topics().await.ok();
            }
        });
    }
}

fn store_settings() -> StoreSettings {
    StoreSettings::new(Lanes(NonZeroU16::new(LANES).unwrap()), Arc::new(SystemClock))
}

/// Returns the address of a broker.
pub(crate) fn brokers() -> String {
    variable("CATCHMENT_TEST_KAFKA")
}

/// Returns the URL of a database in which schemas can be made.
pub(crate) fn database() -> String {
    variable("CATCHMENT_TEST_POSTGRES")
}

#[expect(clippy::disallowed_methods, reason = "where services are is said by the environment")]
fn variable(name: &str) -> String {
    let value = std::env::var(name);
    value.unwrap_or_else(|_| panic!("{name} is not set: run `scripts/services`"))
}
