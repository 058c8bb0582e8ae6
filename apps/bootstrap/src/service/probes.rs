//! The probes over HTTP: `/livez` says that the process runs, `/readyz` whether it can work.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;

use super::readiness::Readiness;

/// The probes, bound to their address but not served yet.
pub(crate) struct Probes(TcpListener);

impl Probes {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Self)
    }

    /// Returns the address of the probes.
    #[cfg(test)]
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves the probes until the process ends.
    pub(crate) async fn serve(self, readiness: Readiness) {
        if let Err(error) = axum::serve(self.0, routes(readiness)).await {
            tracing::error!(%error, "the probes are not served any more");
        }
    }
}

fn routes(readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state(readiness)
}

async fn ready(State(readiness): State<Readiness>) -> impl IntoResponse {
    let reasons = readiness.reasons();
    let is_ready = reasons.is_empty();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({ "ready": is_ready, "reasons": reasons });
    (status, [(CONTENT_TYPE, "application/json")], format!("{body}\n"))
}
