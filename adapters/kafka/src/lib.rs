//! The domain's messaging ports on Kafka.

mod wire;
