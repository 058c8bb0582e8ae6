//! What an import of shops did.

use catchment_application::ImportedShops;
use serde::{Deserialize, Serialize};

use crate::Damage;

/// What an import of shops did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportResult {
    /// How many shops were new.
    pub added: u64,
    /// How many shops were there.
    pub updated: u64,
    /// How many rows were bad.
    pub bad: u64,
    /// The first bad rows.
    pub bad_rows: Vec<BadRow>,
    /// The shops that kept a newer base radius.
    pub kept_base: Vec<KeptBase>,
    /// The damage of each shop that was left out.
    pub damaged: Vec<Damage>,
}

/// A row that was not stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRow {
    /// The line in the file, from 1.
    pub line: u64,
    /// What is wrong with the row.
    pub reason: String,
}

/// A shop that kept its base radius.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptBase {
    /// The shop.
    pub shop: String,
    /// The revision of its base radius.
    pub revision: u64,
}

impl ImportResult {
    /// Returns the result of an import, with the rows that were bad.
    #[must_use]
    pub fn new(stored: &ImportedShops, bad: u64, bad_rows: Vec<BadRow>) -> Self {
        let kept = stored.kept.iter();
        Self {
            added: stored.imported.added,
            updated: stored.imported.updated,
            bad,
            bad_rows,
            kept_base: kept
                .map(|(shop, revision)| KeptBase { shop: shop.to_string(), revision: revision.0 })
                .collect(),
            damaged: stored.damaged.iter().map(Into::into).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use catchment_domain::{self as domain, Imported, Revision, StoredItem};

    use super::*;

    #[test]
    fn an_import_names_what_it_left_as_it_was() {
        let item = StoredItem::State("c".to_owned());
        let stored = ImportedShops {
            imported: Imported { added: 1, updated: 2 },
            kept: vec![("b".parse().unwrap(), Revision(9))],
            damaged: vec![domain::Damage { item, what: "unreadable".to_owned() }],
        };
        let bad = BadRow { line: 4, reason: "no id".to_owned() };
        insta::assert_json_snapshot!(ImportResult::new(&stored, 1, vec![bad]), @r#"
        {
          "added": 1,
          "updated": 2,
          "bad": 1,
          "badRows": [
            {
              "line": 4,
              "reason": "no id"
            }
          ],
          "keptBase": [
            {
              "shop": "b",
              "revision": 9
            }
          ],
          "damaged": [
            {
              "item": {
                "type": "state",
                "shop": "c"
              },
              "damage": "unreadable"
            }
          ]
        }
        "#);
    }
}
