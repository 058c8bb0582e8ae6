//! Stored data that cannot be read.

use catchment_domain::{self as domain, ImportNumber, Lane, Position, Revision};
use serde::{Deserialize, Serialize};

/// A stored item that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// Which item.
    pub item: StoredItem,
    /// Where it is stored and what is wrong with it.
    pub damage: String,
}

/// A stored item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "type")]
#[expect(missing_docs, reason = "the variants and fields are those of the domain's StoredItem")]
pub enum StoredItem {
    Campaign { campaign: u64 },
    Counts { campaign: u64 },
    List { campaign: u64, chunk: u32 },
    Outcomes { campaign: u64, chunk: u32 },
    Profile { shop: String },
    State { shop: String },
    Receipt { lane: u16, position: u64 },
    ImportReceipt { lane: u16, number: u64 },
}

impl From<&domain::Damage> for Damage {
    fn from(damage: &domain::Damage) -> Self {
        Self { item: (&damage.item).into(), damage: damage.what.clone() }
    }
}

impl From<&domain::StoredItem> for StoredItem {
    fn from(item: &domain::StoredItem) -> Self {
        use domain::StoredItem as Item;
        match item {
            Item::Campaign(Revision(campaign)) => Self::Campaign { campaign: *campaign },
            Item::Counts(Revision(campaign)) => Self::Counts { campaign: *campaign },
            Item::List(Revision(campaign), chunk) => {
                Self::List { campaign: *campaign, chunk: *chunk }
            }
            Item::Outcomes(Revision(campaign), chunk) => {
                Self::Outcomes { campaign: *campaign, chunk: *chunk }
            }
            Item::Profile(shop) => Self::Profile { shop: shop.clone() },
            Item::State(shop) => Self::State { shop: shop.clone() },
            Item::Receipt(Lane(lane), Position(position)) => {
                Self::Receipt { lane: *lane, position: *position }
            }
            Item::ImportReceipt(Lane(lane), ImportNumber(number)) => {
                Self::ImportReceipt { lane: *lane, number: *number }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_named_by_its_kind_and_its_place() {
        use domain::StoredItem as Item;
        let (campaign, shop) = (Revision(7), "a".to_owned());
        let items = [
            Item::Campaign(campaign),
            Item::Counts(campaign),
            Item::List(campaign, 2),
            Item::Outcomes(campaign, 2),
            Item::Profile(shop.clone()),
            Item::State(shop),
            Item::Receipt(Lane(1), Position(9)),
            Item::ImportReceipt(Lane(1), ImportNumber(3)),
        ];
        let lines =
            items.each_ref().map(|item| serde_json::to_string(&StoredItem::from(item)).unwrap());
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"type":"campaign","campaign":7}
        {"type":"counts","campaign":7}
        {"type":"list","campaign":7,"chunk":2}
        {"type":"outcomes","campaign":7,"chunk":2}
        {"type":"profile","shop":"a"}
        {"type":"state","shop":"a"}
        {"type":"receipt","lane":1,"position":9}
        {"type":"importReceipt","lane":1,"number":3}
        "#);
    }
}
