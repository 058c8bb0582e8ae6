//! The smallest service: it is ready at once, does nothing, and does not end when it is told to,
//! so that everything around a service can be watched.
//!
//! `cargo run -p catchment-bootstrap --example idle`, then `curl localhost:8080/readyz`.

use std::process::ExitCode;

use catchment_bootstrap::{ProcessError, Role, Service, run};

const WORK: &str = "work";

fn main() -> ExitCode {
    let role = Role { name: "idle", about: "Does nothing.", conditions: &[WORK] };
    run(&role, idle)
}

async fn idle(service: Service) -> Result<(), ProcessError> {
    service.readiness.met(WORK);
    std::future::pending().await
}
