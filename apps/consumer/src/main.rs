//! Applies requests from Kafka and answers them.

fn main() {}
