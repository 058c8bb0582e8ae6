//! The cluster that everything here talks to, and the topics it must have.

mod check;
mod inspection;
mod lane_reader;
mod lookout;
mod qualities;

use std::sync::Arc;

use catchment_domain::Lanes;
use catchment_domain::ports::{Clock, InspectionError, LogProblem, Wanted};
use catchment_request_reply::profile::{DeadLetter, RequestStyle};
use catchment_request_reply::reply::{AllowedTopics, DeadLetters, LogThrottle, ReplyPath, Senders};
use catchment_request_reply::requester::{Reply, Requester, RequesterSettings, StartError};
use catchment_request_reply::{
    Created, GroupEvents, Incoming, NewTopic, Reader, Sender, SettingsError, Topics,
};

use crate::caller::Caller;
use crate::counts::{Counters, KafkaCounts};
use crate::error::{read_failed, settings_failed, topics_failed};
use crate::identity::identity;
use crate::reply_channel::KafkaReplyChannel;
use crate::reply_log::KafkaReplyLog;
use crate::request_channel::KafkaRequestChannel;
use crate::request_log::{KafkaRequestLog, RecordParser};
use crate::settings::KafkaSettings;
use check::Partitions;
pub use lookout::KafkaLookout;
use qualities::Purpose;

/// A cluster that answered: what makes the ports.
#[derive(Clone, Debug)]
pub struct KafkaCluster {
    settings: Arc<KafkaSettings>,
    topics: Topics,
    id: Arc<str>,
    counters: Arc<Counters>,
}

impl KafkaCluster {
    /// Asks the cluster who it is, so that its logs are known from now on.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, or no broker answers within the request time-out.
    pub async fn connect(settings: KafkaSettings) -> Result<Self, InspectionError> {
        settings.client.check().map_err(settings_failed)?;
        let topics = Topics::new(&settings.client).map_err(settings_failed)?;
        let id = topics.cluster_id().await.map_err(topics_failed)?.into();
        Ok(Self { settings: Arc::new(settings), topics, id, counters: Arc::default() })
    }

    /// Sees whether a broker answers, by a question that costs it little.
    ///
    /// # Errors
    ///
    /// When none does within the request time-out.
    pub async fn reach(&self) -> Result<(), InspectionError> {
        let reached = self.topics.partitions(&self.settings.requests_topic).await;
        reached.map(drop).map_err(topics_failed)
    }

    /// The problems of our own request, reply and dead-letter topics, one line each.
    ///
    /// # Errors
    ///
    /// When the brokers do not answer.
    pub async fn check_topics(&self, lanes: Lanes) -> Result<Vec<LogProblem>, InspectionError> {
        let mut problems = Vec::new();
        for (topic, purpose) in self.names() {
            // Only other systems' clients read such a topic.
            if purpose == Purpose::PeerReplies {
                continue;
            }
            let found = self.topics.partitions(&topic).await.map_err(topics_failed)?;
            problems.extend(check::problem(&topic, found, purpose.partitions(lanes)));
        }
        Ok(problems)
    }

    /// The problems of the topics that `create_topics` makes, one line each. A topic must exist,
    /// take and keep the records that are sent to it, and be readable for its readers. If a topic
    /// that the settings allow by name for replies exists, it is checked, too.
    ///
    /// # Errors
    ///
    /// When the brokers do not answer, or do not show the properties of a topic.
    pub async fn inspect_topics(
        &self,
        lanes: Lanes,
        wanted: Wanted,
    ) -> Result<Vec<LogProblem>, InspectionError> {
        let batch_size = self.settings.client.batch_size().map_err(settings_failed)?;
        let mut problems = Vec::new();
        let names = self.names();
        for (topic, purpose) in &names {
            let (topic, purpose) = (topic.as_str(), *purpose);
            let found = self.topics.describe(topic).await.map_err(topics_failed)?;
            let partitions = found.as_ref().map(|found| found.partitions);
            problems.extend(check::problem(topic, partitions, purpose.partitions(lanes)));
            if let Some(found) = found {
                problems.extend(qualities::problems(topic, purpose, &found, wanted, batch_size));
            }
        }
        for topic in self.allowed().names() {
            if names.iter().any(|(name, _)| name == topic) {
                continue;
            }
            if let Some(found) = self.topics.describe(topic).await.map_err(topics_failed)? {
                // Another system made this topic, and chose the number of its partitions.
                let (purpose, wanted) = (Purpose::PeerReplies, Wanted::default());
                problems.extend(qualities::problems(topic, purpose, &found, wanted, batch_size));
            }
        }
        Ok(problems)
    }

    /// Makes the topics that are missing, for the lanes of the database, and says which those were.
    /// There is at least one reply lane for each requester that runs at a time; the reply topics of
    /// other systems get the same number of partitions. Without a number of replicas the brokers'
    /// default is taken.
    ///
    /// # Errors
    ///
    /// When the brokers refuse one or do not answer.
    pub async fn create_topics(
        &self,
        lanes: Lanes,
        reply_lanes: u16,
        replication: Option<i32>,
    ) -> Result<Vec<(String, Created)>, InspectionError> {
        let mut created = Vec::new();
        for topic in self.new_topics(lanes, reply_lanes, replication) {
            let is_new = self.topics.create(&topic).await.map_err(topics_failed)?;
            created.push((topic.name, is_new));
        }
        Ok(created)
    }

    /// Deletes the topics with all that is in them, where they are there.
    ///
    /// # Errors
    ///
    /// When the brokers refuse or do not answer.
    pub async fn delete_topics(&self) -> Result<(), InspectionError> {
        for (topic, _) in self.names() {
            self.topics.delete(&topic).await.map_err(topics_failed)?;
        }
        Ok(())
    }

    /// Every topic that must be there, and what it is for.
    fn names(&self) -> [(String, Purpose); 5] {
        let KafkaSettings { requests_topic: requests, replies_topic: replies, .. } =
            &*self.settings;
        let [nestjs, smallrye] = AllowedTopics::of_peers(requests);
        [
            (requests.clone(), Purpose::Requests),
            (DeadLetter::topic(requests), Purpose::DeadLetters),
            (replies.clone(), Purpose::Replies),
            (nestjs, Purpose::PeerReplies),
            (smallrye, Purpose::PeerReplies),
        ]
    }

    fn new_topics(
        &self,
        lanes: Lanes,
        reply_lanes: u16,
        replication: Option<i32>,
    ) -> [NewTopic; 5] {
        const DAY: u64 = 24 * 3_600_000;
        /// Far above the longest outage: requests that were not read yet must not go.
        const WEEK: u64 = 7 * DAY;
        self.names().map(|(name, purpose)| {
            let (partitions, retention) = match purpose {
                Purpose::Requests => (lanes.count(), WEEK),
                Purpose::DeadLetters => (lanes.count(), 4 * WEEK),
                Purpose::Replies => (reply_lanes, WEEK),
                // A client waits for its reply only for seconds.
                Purpose::PeerReplies => (reply_lanes, DAY),
            };
            let mut properties = vec![
                ("cleanup.policy".to_owned(), "delete".to_owned()),
                ("compression.type".to_owned(), "producer".to_owned()),
                ("retention.ms".to_owned(), retention.to_string()),
            ];
            // If only one broker had a record, the record would be lost with that broker.
            if replication.is_some_and(|replicas| 3 <= replicas) {
                properties.push(("min.insync.replicas".to_owned(), "2".to_owned()));
            }
            NewTopic { name, partitions: partitions.into(), replication, properties }
        })
    }

    /// A sender to topics that our own programs read. The channels share it.
    ///
    /// # Errors
    ///
    /// When a setting is wrong.
    pub fn sender(&self) -> Result<Sender, SettingsError> {
        Sender::new(&self.settings.among_ourselves())
    }

    /// A sender to topics that other systems' clients read.
    ///
    /// # Errors
    ///
    /// When a setting is wrong.
    pub fn peer_sender(&self) -> Result<Sender, SettingsError> {
        Sender::new(&self.settings.client)
    }

    /// Joins the consumers' group: the request lanes, and what happens to them.
    ///
    /// # Errors
    ///
    /// When a setting is wrong.
    pub fn join(&self) -> Result<(KafkaRequestLog, GroupEvents), SettingsError> {
        let topic = &self.settings.requests_topic;
        let dead_letters = Arc::default();
        let parser = RecordParser {
            allowed: self.allowed(),
            dead_letters: Arc::clone(&dead_letters),
            counters: Arc::clone(&self.counters),
            warnings: LogThrottle::default(),
        };
        let entry = move |incoming: &Incoming<'_>| parser.entry(incoming);
        let (reader, events) = Reader::group(&self.settings.client, topic, entry)?;
        Ok((KafkaRequestLog::new(identity(&self.id, topic), reader, dead_letters), events))
    }

    /// The logs of a database with this many lanes, as those see them who neither send nor read.
    ///
    /// # Errors
    ///
    /// When a setting is wrong.
    pub fn lookout(&self, lanes: Lanes) -> Result<KafkaLookout, SettingsError> {
        KafkaLookout::new(self, lanes)
    }

    /// The channel for replies to the requests of a log. The first sender sends to our own reply
    /// topic, the second sender to all other topics.
    #[must_use]
    pub fn reply_channel(
        &self,
        (own, to_peers): (&Sender, &Sender),
        log: &KafkaRequestLog,
        clock: Arc<dyn Clock>,
    ) -> KafkaReplyChannel {
        let settings = &self.settings;
        let own = Some((settings.replies_topic.as_str().into(), own.clone()));
        let senders = Senders { own, to_peers: to_peers.clone() };
        let (reader, cache) = (log.reader().clone(), log.dead_letters());
        let dead_letters = DeadLetters::new(reader, cache, &settings.client.group_id);
        let counters = Arc::clone(&self.counters);
        let events = Arc::<Counters>::clone(&counters);
        let path = ReplyPath::new(senders.clone(), self.allowed(), dead_letters, events);
        KafkaReplyChannel::new(senders, path, settings.spring_type_id.clone(), clock, counters)
    }

    /// The reply topic itself, those of peers, and what the settings add.
    fn allowed(&self) -> AllowedTopics {
        let KafkaSettings { requests_topic, replies_topic, reply_topics_allowed, .. } =
            &*self.settings;
        let usual = [replies_topic.clone()].into_iter();
        let usual = usual.chain(AllowedTopics::of_peers(requests_topic));
        AllowedTopics::new(usual.chain(reply_topics_allowed.iter().cloned()))
    }

    /// Where requests are sent.
    #[must_use]
    pub fn request_channel(&self, sender: &Sender, clock: Arc<dyn Clock>) -> KafkaRequestChannel {
        KafkaRequestChannel::new(sender.clone(), &self.settings.requests_topic, clock)
    }

    /// The reply lanes: as many as the reply topic has partitions. They are counted again only by
    /// [`KafkaReplyLog::keep_counting`].
    ///
    /// # Errors
    ///
    /// When a setting is wrong, the topic is missing, or no broker answers.
    pub async fn reply_log(&self) -> Result<KafkaReplyLog, InspectionError> {
        let topic = &self.settings.replies_topic;
        let lanes = self.reply_partitions().await?;
        let reader = Reader::manual(&self.settings.client, topic, Reply::parse);
        let reader = reader.map_err(settings_failed)?;
        let (topics, counters) = (self.topics.clone(), Arc::clone(&self.counters));
        Ok(KafkaReplyLog::new(identity(&self.id, topic), (topics, lanes), reader, counters))
    }

    /// How many partitions the topic of replies has.
    async fn reply_partitions(&self) -> Result<u16, InspectionError> {
        let topic = &self.settings.replies_topic;
        let found = self.topics.partitions(topic).await.map_err(topics_failed)?;
        if let Some(problem) = check::problem(topic, found, Partitions::Any) {
            return Err(InspectionError::Refused(problem.into()));
        }
        Ok(u16::try_from(found.unwrap_or_default()).unwrap_or(u16::MAX))
    }

    /// Starts single calls with clients of their own, of which at most `pending` wait at a time.
    /// They are answered in the last reply lane, which requesters lease last; whatever else
    /// arrives there is passed over.
    ///
    /// # Errors
    ///
    /// When a setting is wrong, the topic is missing, or no broker answers.
    pub async fn caller(
        &self,
        pending: usize,
        clock: Arc<dyn Clock>,
    ) -> Result<Caller, InspectionError> {
        let KafkaSettings { client, requests_topic, replies_topic: topic, .. } = &*self.settings;
        let lanes = self.reply_partitions().await?;
        let settings = RequesterSettings {
            partition: lanes.saturating_sub(1).into(),
            style: RequestStyle::OWN,
            pending,
            ..RequesterSettings::new(requests_topic.as_str(), topic.as_str())
        };
        let requester = Requester::start(client, settings).await.map_err(|error| match error {
            StartError::Settings(error) => settings_failed(error),
            StartError::ReplyTopic(error) => InspectionError::Refused(error.into()),
            StartError::Unreadable(error) => read_failed(error),
        })?;
        Ok(Caller::new(requester, clock))
    }

    /// What happened so far that nobody waits for.
    #[must_use]
    pub fn counts(&self) -> KafkaCounts {
        self.counters.read()
    }
}
