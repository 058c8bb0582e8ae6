//! The adapter on a real broker, which `CATCHMENT_TEST_KAFKA` names: `scripts/services` starts
//! one. Each test has topics of its own.

mod contract;
mod world;
