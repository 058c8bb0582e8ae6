//! Settings as they may be shown.

use serde::{Deserialize, Serialize};

/// A setting, and the layer that set it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The setting's key.
    pub setting: String,
    /// The setting's value, or `***` for a secret.
    pub value: String,
    /// The layer that set the value.
    pub from: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_names_its_layer() {
        let [setting, value, from] = ["log.format", "text", "default.toml"].map(str::to_owned);
        insta::assert_json_snapshot!(Setting { setting, value, from }, @r#"
        {
          "setting": "log.format",
          "value": "text",
          "from": "default.toml"
        }
        "#);
    }
}
