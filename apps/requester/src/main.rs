//! Runs campaigns over Kafka.

fn main() {}
