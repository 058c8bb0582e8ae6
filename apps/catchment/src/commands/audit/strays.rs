//! What is stored of shops and does not belong there: causes that no campaign will release by
//! itself, and base radii that no import outranks.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use catchment_domain::ports::{ShopOutcome, StoreError};
use catchment_domain::{
    Campaign, Origin, Revision, Scope, ShopId, Slot, Status, StrayCause, find_stray,
};
use serde_json::{Value, json};

use crate::commands::Context;
use crate::commands::shops::Pages;
use crate::left_out::LeftOut;
use crate::output::shell_word;

/// A cause in force at a shop where it does not belong.
#[derive(Debug)]
pub(super) struct Stray {
    shop: ShopId,
    campaign: Revision,
    why: StrayCause,
    /// The campaign itself can release it: its release there was rejected or given up.
    may_be_retried: bool,
}

impl Stray {
    /// What to type.
    fn command(&self) -> String {
        let Self { campaign, .. } = self;
        if self.may_be_retried {
            return format!("catchment campaign retry {campaign}");
        }
        let shop = shell_word(self.shop.as_str());
        format!("catchment shops release --campaign {campaign} {shop}")
    }

    /// The cause for machines.
    pub(super) fn view(&self) -> Value {
        json!({
            "shop": self.shop.as_str(),
            "campaign": self.campaign.0,
            "why": match self.why {
                StrayCause::UnknownCampaign => "unknown_campaign",
                StrayCause::NotListed => "not_listed",
                StrayCause::Ended => "ended",
            },
            "command": self.command(),
        })
    }
}

impl fmt::Display for Stray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shop, campaign, .. } = self;
        let why = match self.why {
            StrayCause::UnknownCampaign => "the database has no such campaign",
            StrayCause::NotListed => "its list does not name this shop",
            StrayCause::Ended => "it has ended",
        };
        let command = self.command();
        write!(
            f,
            "shop {shop}: the limit of campaign {campaign} is in force there, but {why}; \
             `{command}` ends it"
        )
    }
}

/// A base radius whose revision the database never gave out.
#[derive(Debug)]
pub(super) struct UnknownBase {
    shop: ShopId,
    revision: Revision,
    newest: Revision,
}

/// What ends it. The file must name a base radius for the shop.
const OVERRULE: &str = "catchment shops import FILE --overrule";

impl UnknownBase {
    /// The base radius for machines.
    pub(super) fn view(&self) -> Value {
        json!({
            "shop": self.shop.as_str(),
            "revision": self.revision.0,
            "newest": self.newest.0,
            "command": OVERRULE,
        })
    }
}

impl fmt::Display for UnknownBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shop, revision, newest } = self;
        write!(
            f,
            "shop {shop}: its base radius has revision {revision}, but {newest} is the newest that \
             the database gave out, so no import outranks it; `{OVERRULE}` replaces it"
        )
    }
}

/// At which shops campaigns are in force, as far as nobody has looked yet whether they belong
/// there.
#[derive(Debug, Default)]
pub(super) struct InForce {
    shops: BTreeMap<Revision, BTreeSet<ShopId>>,
    /// Base radii that no import outranks.
    pub(super) bases: Vec<UnknownBase>,
    /// What is damaged.
    pub(super) left_out: LeftOut,
}

impl InForce {
    /// Reads what is in force at all shops, of these campaigns or, where none is named, of all. In
    /// that case it reads their base radii, too.
    pub(super) async fn read(wanted: &[Revision], context: &Context) -> anyhow::Result<Self> {
        let mut in_force = Self::default();
        let newest = context.stores.shops.newest_revision().await?;
        let mut pages = Pages::new(context, Scope::everything(), usize::MAX);
        while let Some(page) = pages.next().await? {
            for shop in &page {
                for cause in &shop.state.active {
                    let Origin::Campaign(campaign) = cause.origin else { continue };
                    if wanted.is_empty() || wanted.contains(&campaign) {
                        in_force.shops.entry(campaign).or_default().insert(shop.id.clone());
                    }
                }
                let base = shop.state.base;
                if wanted.is_empty() && base.is_of_unknown_revision(newest) {
                    let (shop, revision) = (shop.id.clone(), base.revision);
                    in_force.bases.push(UnknownBase { shop, revision, newest });
                }
            }
        }
        // Some may have been given out while the shops were read.
        let newest = context.stores.shops.newest_revision().await?;
        in_force.bases.retain(|base| newest < base.revision);
        in_force.left_out = pages.left_out;
        Ok(in_force)
    }

    /// Whether a campaign was in force at a shop of its list that nobody has looked at yet.
    pub(super) fn has(&self, campaign: Revision, shop: &ShopId) -> bool {
        self.shops.get(&campaign).is_some_and(|shops| shops.contains(shop))
    }

    /// Looks at a shop of a campaign's list, of which the release has this outcome.
    pub(super) fn listed(&mut self, campaign: &Campaign, release: &ShopOutcome) -> Option<Stray> {
        let shops = self.shops.get_mut(&campaign.name.revision)?;
        let shop = shops.take(&release.shop)?;
        let why = find_stray(Some(campaign), true)?;
        let may_be_retried =
            matches!(release.slot, Slot::Closed(Status::Rejected | Status::Failed));
        Some(Stray { shop, campaign: campaign.name.revision, why, may_be_retried })
    }

    /// Looks at the shops that are left of a campaign, once its list was seen. A list that is not
    /// whole may name them.
    pub(super) fn unlisted(&mut self, campaign: &Campaign, is_whole: bool) -> Vec<Stray> {
        let revision = campaign.name.revision;
        let shops = self.shops.remove(&revision).filter(|_| is_whole).unwrap_or_default();
        let stray = |shop| {
            let why = find_stray(Some(campaign), false)?;
            Some(Stray { shop, campaign: revision, why, may_be_retried: false })
        };
        shops.into_iter().filter_map(stray).collect()
    }

    /// Looks at the campaigns that are left, once all lists were seen. One that began meanwhile,
    /// or that cannot be read, is there.
    pub(super) async fn unknown(self, context: &Context) -> anyhow::Result<Vec<Stray>> {
        let mut strays = Vec::new();
        for (revision, shops) in self.shops {
            match context.stores.campaigns.get(revision).await {
                Ok(None) => {}
                Ok(Some(_)) | Err(StoreError::BadData { .. }) => continue,
                Err(error) => return Err(error.into()),
            }
            let Some(why) = find_stray(None, false) else { continue };
            let stray = |shop| Stray { shop, campaign: revision, why, may_be_retried: false };
            strays.extend(shops.into_iter().map(stray));
        }
        Ok(strays)
    }
}
