//! The example for new users, so that it cannot rot.

use uuid::Uuid;

use crate::brokers;

#[expect(dead_code, reason = "the test calls `run`, as `main` does")]
#[path = "../../examples/quickstart.rs"]
mod example;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Kafka"]
async fn a_typed_requester_reads_every_failure_as_an_error() {
    example::run(&brokers(), &format!("test.quickstart.{}", Uuid::now_v7())).await.unwrap();
}
