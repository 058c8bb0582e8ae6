//! Durable request-reply over Kafka, for anybody.
