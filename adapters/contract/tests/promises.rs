//! The ports' documentation, the functions of the contract and the suites name the same
//! promises.

#![expect(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Promises by port, each in snake case.
type Promises = BTreeMap<String, BTreeSet<String>>;

#[test]
fn each_promise_has_a_function_and_each_function_is_in_a_suite() {
    let suites = suites();
    let mut functions = Promises::new();
    for port in suites.keys() {
        functions.insert(port.clone(), functions_of(port));
    }
    assert_eq!(functions, suites);
    // How consumer and store recover is promised by no single port.
    functions.remove("recovery");
    assert_eq!(documented(), functions);
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The promises of each trait, from the list in its documentation.
fn documented() -> Promises {
    let ports = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../domain/src/ports");
    let mut promises = Promises::new();
    for file in fs::read_dir(ports).unwrap() {
        let mut listed = BTreeSet::new();
        for line in fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            if let Some((name, _)) = line.strip_prefix("/// - `").and_then(|l| l.split_once('`')) {
                listed.insert(name.to_owned());
            } else if let Some(name) =
                line.strip_prefix("pub trait ").filter(|_| !listed.is_empty())
            {
                let name = name.split(':').next().unwrap_or_default();
                promises.insert(snake_case(name), std::mem::take(&mut listed));
            }
        }
    }
    promises
}

/// The public functions of a module, and of the files below it.
fn functions_of(port: &str) -> BTreeSet<String> {
    let mut source = read(&format!("src/{port}.rs"));
    let below = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(port);
    for file in fs::read_dir(below).into_iter().flatten() {
        source += &fs::read_to_string(file.unwrap().path()).unwrap();
    }
    let functions = source.lines().filter_map(|line| line.strip_prefix("pub async fn "));
    functions.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())).collect()
}

/// What the macros list.
fn suites() -> Promises {
    let mut promises = Promises::new();
    let mut port = None;
    for line in read("src/lib.rs").lines() {
        let word = line.trim().trim_end_matches([',', ' ', '{']);
        let is_name = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        match line.len() - line.trim_start().len() {
            12 if is_name && line.ends_with('{') => port = Some(word.to_owned()),
            16 if is_name => {
                let port = port.clone().unwrap();
                promises.entry(port).or_default().insert(word.to_owned());
            }
            _ => {}
        }
    }
    promises
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
