//! What is said of topics, and of brokers that do not answer.

use std::num::NonZeroU16;
use std::time::Duration;

use catchment_domain::Lanes;
use catchment_domain::ports::{InspectionError, Wanted};
use catchment_kafka::{ClientSettings, Created, KafkaCluster};
use catchment_request_reply::{NewTopic, Topics};

use crate::world::{LANES, REPLY_LANES, settings, settings_of};

/// A client of brokers that are not there.
fn nobody() -> ClientSettings {
    ClientSettings::new("127.0.0.1:1", "test")
}

async fn lines(cluster: &KafkaCluster, lanes: Lanes) -> Vec<String> {
    let problems = cluster.inspect_topics(lanes, Wanted::default()).await.unwrap();
    problems.iter().map(ToString::to_string).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn each_topic_that_is_wrong_has_its_line() {
    let settings = settings();
    let (requests, replies) = (&settings.requests_topic, &settings.replies_topic);
    let cluster = KafkaCluster::connect(settings.clone()).await.unwrap();
    let missing =
        |topic: &str| format!("there is no topic `{topic}`: `catchment topics create` makes it");
    let dead_letters = format!("{requests}-dlt");
    let (nestjs, smallrye) = (format!("{requests}.reply"), format!("{requests}-replies"));
    let names = [requests, &dead_letters, replies, &nestjs, &smallrye];
    assert_eq!(lines(&cluster, LANES).await, names.map(|name| missing(name)));
    let error = cluster.reply_log().await.unwrap_err();
    assert!(matches!(error, InspectionError::Refused(_)), "{error:?}");
    assert_eq!(error.to_string(), missing(replies));

    let created = cluster.create_topics(LANES, REPLY_LANES, Some(1)).await.unwrap();
    assert_eq!(created, names.map(|name| (name.clone(), Created::New)));
    assert_eq!(lines(&cluster, LANES).await, [""; 0]);
    let again = cluster.create_topics(LANES, REPLY_LANES, Some(1)).await.unwrap();
    assert_eq!(again, names.map(|name| (name.clone(), Created::AlreadyThere)));

    let other = |lanes: u16, or_move: &str| {
        format!(
            "the topic `{requests}` has 3 partitions, and the database has {lanes} lanes: name a \
             new topic in `kafka.requests_topic`, make it by `catchment topics create`, and take \
             it by `catchment lanes accept --all`{or_move}"
        )
    };
    let few_for_dead_letters = format!(
        "the topic `{dead_letters}` has 3 partitions, and the database has 4 lanes: a dead letter \
         goes into the partition of its request, so add partitions with \
         `kafka-topics.sh --bootstrap-server HOST:PORT --alter --topic \
         {dead_letters} --partitions 4`"
    );
    let or_move = "; if nothing is under way, `catchment topics move --lanes 3` changes the number of \
                   lanes";
    for (count, expected) in
        [(4, vec![other(4, ""), few_for_dead_letters]), (2, vec![other(2, or_move)])]
    {
        let lanes = Lanes(NonZeroU16::new(count).unwrap());
        assert_eq!(lines(&cluster, lanes).await, expected);
        let problems = cluster.check_topics(lanes).await.unwrap();
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems, expected);
    }

    let topics = Topics::new(&settings.client).unwrap();
    topics.delete(&dead_letters).await.unwrap();
    // A broker hears of it a moment later.
    while topics.partitions(&dead_letters).await.unwrap().is_some() {}
    assert_eq!(lines(&cluster, LANES).await, [missing(&dead_letters)]);
    // Services go on without a topic that only other systems' clients read.
    topics.delete(&nestjs).await.unwrap();
    while topics.partitions(&nestjs).await.unwrap().is_some() {}
    assert_eq!(lines(&cluster, LANES).await, [missing(&dead_letters), missing(&nestjs)]);
    let problems = cluster.check_topics(LANES).await.unwrap();
    assert_eq!(problems.len(), 1, "{problems:?}");
    cluster.delete_topics().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn topics_that_were_made_otherwise_are_named_with_what_is_wrong() {
    let settings = settings();
    let cluster = KafkaCluster::connect(settings.clone()).await.unwrap();
    let topics = Topics::new(&settings.client).unwrap();
    let nestjs = format!("{}.reply", settings.requests_topic);
    let property = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    for (name, properties) in [
        (&settings.replies_topic, [("retention.ms", "60000"), ("cleanup.policy", "compact")]),
        (&nestjs, [("compression.type", "lz4"), ("min.insync.replicas", "2")]),
    ] {
        let properties = properties.map(property).into();
        let name = name.clone();
        let topic = NewTopic { name, partitions: 1, replication: Some(1), properties };
        topics.create(&topic).await.unwrap();
    }
    cluster.create_topics(LANES, REPLY_LANES, Some(1)).await.unwrap();
    let lines = lines(&cluster, LANES).await;
    let parts = [
        "is compacted",
        "has `retention.ms` 60000",
        "`lz4`, which clients with",
        "takes no records",
    ];
    assert_eq!(lines.len(), parts.len(), "{lines:?}");
    for (line, part) in lines.iter().zip(parts) {
        assert!(line.contains(part), "{part}: {line}");
    }
    let wanted = Wanted { reply_lanes: Some(REPLY_LANES), replication: Some(1) };
    let problems = cluster.inspect_topics(LANES, wanted).await.unwrap();
    assert_eq!(problems.len(), parts.len() + 2, "{problems:?}");
    cluster.delete_topics().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_do_not_answer_are_named() {
    let mut settings = settings_of(nobody());
    settings.client.request_timeout = Duration::from_millis(300);
    let error = KafkaCluster::connect(settings).await.unwrap_err();
    assert!(matches!(error, InspectionError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_unreachable_is_named_with_the_reason() {
    // This listener takes connections, and answers nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().map(|address| (address.to_string(), silent)).unwrap();
    // A part of a name must not be so long, so no name server is asked.
    let nameless = format!("{}.invalid:9092", "a".repeat(64));
    for (brokers, reason) in [
        (nameless.as_str(), "Failed to resolve"),
        ("127.0.0.1:1", "Connection refused"),
        (silent.0.as_str(), "Timed out"),
    ] {
        let mut settings = settings_of(ClientSettings::new(brokers, "test"));
        settings.client.request_timeout = Duration::from_secs(1);
        let error = KafkaCluster::connect(settings).await.unwrap_err();
        assert!(matches!(error, InspectionError::Unavailable(_)), "{error:?}");
        let line = error.to_string();
        assert!(line.contains(brokers) && line.contains(reason), "{line}");
    }
}

#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_unreachable_over_tls_is_named_with_the_reason() {
    use std::io::{Read as _, Write as _};

    // This listener answers a TLS client in another protocol.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let broker = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            if connection.read(&mut [0; 1_024]).is_ok() {
                let _ = connection.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            }
        }
    });
    let mut settings = settings_of(ClientSettings::new(&broker, "test"));
    settings.client.properties.insert("security.protocol".to_owned(), "ssl".to_owned());
    settings.client.request_timeout = Duration::from_secs(2);
    let error = KafkaCluster::connect(settings).await.unwrap_err();
    let line = error.to_string();
    assert!(line.contains(&broker) && line.contains("SSL routines::"), "{line}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_property_that_the_client_does_not_know_is_named() {
    let mut settings = settings_of(nobody());
    settings.client.properties.insert("linger.sm".to_owned(), "5".to_owned());
    let error = KafkaCluster::connect(settings).await.unwrap_err();
    assert!(matches!(error, InspectionError::Settings(_)), "{error:?}");
    assert!(error.to_string().contains("linger.sm"), "{error}");
}
