//! Settings, logs, probes and shutdown of every app.
