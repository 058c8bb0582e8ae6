//! Durable request-reply over Kafka, for anybody.

pub mod correlation;
pub mod profile;
