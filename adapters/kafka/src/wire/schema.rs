//! The schemas of what travels, as `docs/schemas` holds them.

use std::path::{Path, PathBuf};

use schemars::{JsonSchema, schema_for};
use serde_json::Value;

/// Setting this variable writes the schemas anew.
const WRITE: &str = "CATCHMENT_WRITE_SCHEMAS";

fn path(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
    folder.join(format!("{name}.schema.json"))
}

/// A schema as it is published.
pub(crate) fn published(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap()
}

fn check<T: JsonSchema>(name: &str) {
    let schema = serde_json::to_string_pretty(&schema_for!(T)).unwrap() + "\n";
    #[expect(clippy::disallowed_methods, reason = "a test has no settings but this")]
    if std::env::var(WRITE).is_ok() {
        std::fs::write(path(name), &schema).unwrap();
    }
    let is_published = std::fs::read_to_string(path(name)).is_ok_and(|text| text == schema);
    assert!(
        is_published,
        "docs/schemas/{name}.schema.json differs from the code: \
         `{WRITE}=1 cargo test -p catchment-kafka schema` writes it anew"
    );
}

#[test]
fn the_published_schema_of_requests_is_that_of_the_code() {
    check::<super::request::Envelope<'static>>("request");
}

#[test]
fn the_published_schema_of_replies_is_that_of_the_code() {
    check::<super::reply::Envelope<'static>>("reply");
}
