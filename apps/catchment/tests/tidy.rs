//! Compares the workspace with its documents, and with the house rules that the compiler cannot
//! check. It only reads files, and does not use the command line.
#![expect(clippy::expect_used, reason = "a workspace that cannot be read fails every test here")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The crates that the domain may use: none of them does I/O or chooses a technology.
const DOMAIN_MAY_USE: [&str; 3] = ["async-trait", "thiserror", "uuid"];

/// The crates that the application layer may use. Of tokio, the manifest takes `sync` alone.
const APPLICATION_MAY_USE: [&str; 6] =
    ["async-trait", "catchment-domain", "strsim", "thiserror", "tokio", "uuid"];

/// The servers that a test may need and that not every machine has.
const SERVERS: [&str; 3] = ["Kafka", "PostgreSQL", "Kafka and PostgreSQL"];

/// File names that do not describe the content.
const EMPTY_NAMES: [&str; 9] =
    ["common", "core", "helper", "helpers", "mod", "models", "types", "util", "utils"];

#[test]
fn edges_between_our_crates_are_those_of_the_architecture() {
    let edges: Edges = packages().iter().map(edges_of).collect();
    assert_eq!(edges, edges_in_table(&read("docs/architecture.md")));
}

#[test]
fn domain_and_application_depend_on_nothing_technical() {
    let packages = packages();
    for (name, may_use) in
        [("catchment-domain", &DOMAIN_MAY_USE[..]), ("catchment-application", &APPLICATION_MAY_USE)]
    {
        let package = packages.iter().find(|package| text(package, "name") == name);
        let package = package.expect("a crate of this name");
        let used = dependencies(package, &["normal", "build"]);
        let foreign: Vec<_> =
            used.iter().filter(|name| !may_use.contains(&name.as_str())).collect();
        assert!(foreign.is_empty(), "{name} uses {foreign:?}");
        let features = features_of(package, "tokio");
        assert!(features.iter().all(|feature| feature == "sync"), "{name}: tokio {features:?}");
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for package in packages() {
        let manifest = fs::read_to_string(text(&package, "manifest_path")).expect("a manifest");
        assert!(manifest.contains("\n[lints]\nworkspace = true\n"), "{}", text(&package, "name"));
    }
}

#[test]
fn every_dependency_says_what_it_is_for_and_stands_in_order() {
    let manifest = read("Cargo.toml");
    let section = manifest.split("[workspace.dependencies]\n").nth(1).expect("dependencies");
    let (mut last, mut commented) = (String::new(), false);
    for line in section.lines().take_while(|line| !line.starts_with('[')) {
        let Some((name, _)) = line.split_once(" = ") else {
            commented = line.starts_with("# ");
            continue;
        };
        // One comment serves a family, and our own crates have descriptions.
        let family = !last.is_empty() && name.starts_with(&last);
        assert!(commented || family || name.starts_with("catchment-"), "{name} has no comment");
        assert!(last.as_str() < name, "{name} stands behind {last}");
        (last, commented) = (name.to_owned(), false);
    }
}

#[test]
fn file_names_say_what_is_inside() {
    for file in sources() {
        let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        assert!(!EMPTY_NAMES.contains(&stem), "{}", file.display());
    }
}

#[test]
fn every_ignored_test_names_its_server() {
    for file in sources() {
        let source = fs::read_to_string(&file).expect("a source file");
        for line in source.lines() {
            assert!(!is_ignored_otherwise(line), "{line} in {}", file.display());
        }
    }
}

#[test]
fn a_test_that_is_ignored_for_another_reason_is_found() {
    // The texts are written in two parts, so that the test above does not find these lines.
    let (attribute, fence) = (concat!("#[", "ignore"), concat!("``", "`"));
    for (line, expected) in [
        (format!("{attribute}]"), true),
        (format!("    {attribute} = \"slow\"]"), true),
        (format!("{attribute} = \"needs MariaDB\"]"), true),
        (format!("{attribute} = \"needs Kafka\"]"), false),
        (format!("    {attribute} = \"needs PostgreSQL\"]"), false),
        (format!("{attribute} = \"needs Kafka and PostgreSQL\"]"), false),
        (format!("suite!({attribute} = \"needs Kafka\"] log);"), false),
        (format!("suite!({attribute} = \"flaky\"] log);"), true),
        (format!("#[cfg_attr(debug_assertions, {})]", "ignore"), true),
        (format!("/// {fence}ignore"), true),
        (format!("//! {fence}rust,ignore"), true),
        (format!("/// {fence}ignore-windows"), true),
        (format!("/// {fence}no_run"), false),
        ("/// Those that ignore it.".to_owned(), false),
    ] {
        assert_eq!(is_ignored_otherwise(&line), expected, "{line}");
    }
}

/// Returns whether a line ignores a test for another reason than a missing server. A doc test never
/// needs a server.
fn is_ignored_otherwise(line: &str) -> bool {
    let is_server = |reason: &str| {
        SERVERS.iter().any(|server| reason.starts_with(&format!(" = \"needs {server}\"]")))
    };
    let attribute = line.split_once(concat!("#[", "ignore"));
    let line = line.trim_start();
    let comment = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"));
    let fence = comment.and_then(|comment| comment.trim_start().strip_prefix("```"));
    attribute.is_some_and(|(_, reason)| !is_server(reason))
        || line.starts_with("#[cfg_attr(") && line.contains(", ignore")
        || fence.is_some_and(|language| language.contains("ignore"))
}

#[test]
fn every_invariant_is_tested_by_contract_functions_that_exist() {
    let document = read("docs/architecture.md");
    let rows: Vec<&str> = document.lines().filter(|row| row.starts_with("| I")).collect();
    assert_eq!(rows.len(), 10, "invariants I1 to I10");
    let contract = text_below("adapters/contract/src");
    for row in rows {
        let tested_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        for name in code_in(tested_by) {
            let function = format!("\npub async fn {name}(");
            assert!(contract.contains(&function), "{name} in {row}");
        }
    }
}

#[test]
fn links_in_documents_lead_somewhere() {
    for file in files(&root(), "md") {
        let document = fs::read_to_string(&file).expect("a document");
        for target in document.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            let folder = file.parent().expect("a file is in a folder");
            let leads = target.contains("://") || folder.join(path).exists();
            assert!(leads, "{target} in {}", file.display());
        }
    }
}

/// For each crate, the workspace crates that it uses: in its code, and only in its tests.
type Edges = BTreeMap<String, [BTreeSet<String>; 2]>;

fn edges_of(package: &Value) -> (String, [BTreeSet<String>; 2]) {
    let ours = |kinds: &[&str]| -> BTreeSet<String> {
        dependencies(package, kinds)
            .into_iter()
            .filter(|name| name.starts_with("catchment-"))
            .collect()
    };
    (text(package, "name").to_owned(), [ours(&["normal", "build"]), ours(&["dev"])])
}

/// Reads the rows `| crate | crates that it uses | crates that its tests use |`. The crates are in
/// backticks.
fn edges_in_table(document: &str) -> Edges {
    document
        .lines()
        .filter_map(|row| {
            let cells: Vec<&str> = row.strip_prefix("| `catchment")?.split('|').collect();
            let [rest, uses, tests_use, _] = cells.as_slice() else { return None };
            let name = format!("catchment{}", rest.trim().trim_end_matches('`'));
            Some((name, [code_in(uses), code_in(tests_use)]))
        })
        .collect()
}

/// Returns the texts in backticks.
fn code_in(markdown: &str) -> BTreeSet<String> {
    markdown.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect()
}

/// Returns the crates of the workspace, as Cargo describes them.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("Cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("Cargo prints JSON");
    metadata.get("packages").and_then(Value::as_array).expect("packages").clone()
}

/// Returns the names of a package's direct dependencies of these kinds.
fn dependencies(package: &Value, kinds: &[&str]) -> BTreeSet<String> {
    let all = package.get("dependencies").and_then(Value::as_array).expect("dependencies");
    all.iter()
        .filter(|dependency| {
            // Cargo leaves the kind of a normal dependency empty.
            let kind = dependency.get("kind").and_then(Value::as_str).unwrap_or("normal");
            kinds.contains(&kind)
        })
        .map(|dependency| text(dependency, "name").to_owned())
        .collect()
}

/// Returns the features of a package's normal dependency of this name.
fn features_of(package: &Value, name: &str) -> Vec<String> {
    let all = package.get("dependencies").and_then(Value::as_array).expect("dependencies");
    let of_name = all.iter().filter(|dependency| {
        text(dependency, "name") == name && dependency.get("kind").is_some_and(Value::is_null)
    });
    of_name
        .filter_map(|dependency| dependency.get("features").and_then(Value::as_array))
        .flatten()
        .map(|feature| feature.as_str().expect("a feature is a text").to_owned())
        .collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).expect("Cargo says it")
}

fn sources() -> Vec<PathBuf> {
    files(&root(), "rs")
}

/// Returns the text of all source files below a folder.
fn text_below(folder: &str) -> String {
    let sources = files(&root().join(folder), "rs");
    sources.iter().map(|file| fs::read_to_string(file).expect("a source file")).collect()
}

/// Returns the files below a folder with this extension, except hidden and built files.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let (path, name) = (entry.path(), entry.file_name());
        if name == "target" || name.to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).expect(path)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("a workspace")
}
