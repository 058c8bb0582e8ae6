//! Topics, a group and a schema for one test, on the services that the tests are given, and the
//! programs that work on them.

use std::num::NonZeroU16;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use catchment_bootstrap::SystemClock;
use catchment_domain::Lanes;
use catchment_kafka::{ClientSettings, KafkaCluster, KafkaSettings};
use catchment_seaorm::{SeaOrmStore, StoreSettings};
use tokio::runtime::Runtime;
use uuid::Uuid;

const LANES: u16 = 4;

/// Topics, a group and a schema for one test. They are removed when this is dropped.
pub(crate) struct World {
    name: String,
    /// How the names of its topics begin.
    pub(crate) topics: String,
    pub(crate) runtime: Runtime,
}

impl World {
    /// Makes topics and a schema with our tables.
    pub(crate) fn new() -> Self {
        let world = Self::empty();
        world.migrate();
        world.create_topics(lanes());
        world
    }

    /// Makes a schema without tables, and no topics.
    pub(crate) fn empty() -> Self {
        // If a server is missing, this fails before there is anything to clean up.
        let (url, _) = (variable("CATCHMENT_TEST_POSTGRES"), servers());
        let name = format!("it_{}", Uuid::now_v7().simple());
        let world = Self { topics: name.clone(), name, runtime: Runtime::new().unwrap() };
        let (sql, settings) = (format!("CREATE SCHEMA {}", world.name), store_settings());
        let made = SeaOrmStore::execute_as_another(&url, &sql, &settings);
        world.runtime.block_on(made).unwrap();
        world
    }

    /// Brings the database's schema up to date.
    pub(crate) fn migrate(&self) {
        let (url, settings) = (self.database(), store_settings());
        self.runtime.block_on(SeaOrmStore::migrate(&url, &settings)).unwrap();
    }

    pub(crate) fn create_topics(&self, lanes: Lanes) {
        let made = async { self.cluster().await.create_topics(lanes, 3, None).await };
        self.runtime.block_on(made).unwrap();
    }

    /// Deletes the topics, except those that `spare` renames in the settings, and makes them again.
    pub(crate) fn make_topics_again(&self, spare: impl FnOnce(&mut KafkaSettings)) {
        let mut again = self.kafka();
        spare(&mut again);
        let deleted = async { KafkaCluster::connect(again).await?.delete_topics().await };
        self.runtime.block_on(deleted).unwrap();
        self.create_topics(lanes());
    }

    pub(crate) async fn cluster(&self) -> KafkaCluster {
        KafkaCluster::connect(self.kafka()).await.unwrap()
    }

    pub(crate) fn kafka(&self) -> KafkaSettings {
        let client = ClientSettings::new(servers(), &self.name);
        KafkaSettings {
            requests_topic: format!("{}.requests", self.topics),
            replies_topic: format!("{}.replies", self.topics),
            ..KafkaSettings::new(client)
        }
    }

    /// Returns the database's URL.
    pub(crate) fn database(&self) -> String {
        let whole = variable("CATCHMENT_TEST_POSTGRES");
        let joint = if whole.contains('?') { '&' } else { '?' };
        format!("{whole}{joint}options[search_path]={}", self.name)
    }

    /// Opens the store of the database.
    pub(crate) fn store(&self) -> SeaOrmStore {
        let (url, settings) = (self.database(), store_settings());
        self.runtime.block_on(SeaOrmStore::connect(&url, &settings)).unwrap()
    }

    /// Returns a program with the settings of this world, and without those of the user who runs
    /// the tests.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let kafka = self.kafka();
        let mut command = Command::new(program);
        command.env_clear();
        for (key, value) in [
            ("DATABASE__URL", self.database().as_str()),
            ("DATABASE__LANES", &LANES.to_string()),
            ("DATABASE__CONNECT_TIMEOUT", "10s"),
            ("KAFKA__BOOTSTRAP_SERVERS", &servers()),
            ("KAFKA__CONNECT_TIMEOUT", "10s"),
            ("KAFKA__GROUP_ID", &self.name),
            ("KAFKA__REQUESTS_TOPIC", &kafka.requests_topic),
            ("KAFKA__REPLIES_TOPIC", &kafka.replies_topic),
            ("PROBES__ADDRESS", "none"),
        ] {
            command.env(format!("CATCHMENT__{key}"), value);
        }
        command
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let (url, settings) = (variable("CATCHMENT_TEST_POSTGRES"), store_settings());
        // If something cannot be removed, the test's own failure must stay the only message.
        self.runtime.block_on(async {
            let sql = format!("DROP SCHEMA {} CASCADE", self.name);
            SeaOrmStore::execute_as_another(&url, &sql, &settings).await.ok();
            if let Ok(cluster) = KafkaCluster::connect(self.kafka()).await {
                cluster.delete_topics().await.ok();
            }
        });
    }
}

fn store_settings() -> StoreSettings {
    StoreSettings { create: true, ..StoreSettings::new(lanes(), Arc::new(SystemClock)) }
}

/// The number of lanes, unless a test says otherwise.
pub(crate) fn lanes() -> Lanes {
    Lanes(NonZeroU16::new(LANES).unwrap())
}

pub(crate) fn servers() -> String {
    variable("CATCHMENT_TEST_KAFKA")
}

#[expect(clippy::disallowed_methods, reason = "where services are is said by the environment")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run `scripts/services`"))
}
