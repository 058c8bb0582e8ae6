//! What is stored of shops and does not belong there: causes that no campaign will release by
//! itself, and base radii that no import outranks.

use std::collections::{BTreeMap, BTreeSet};

use crate::campaign::Campaign;
use crate::cause::Origin;
use crate::chunk::Slot;
use crate::damage::Damage;
use crate::outcome::Status;
use crate::ports::{CampaignRepository, ShopOutcome, ShopRepository, StoreError};
use crate::release::{StrayCause, find_stray};
use crate::revision::Revision;
use crate::scope::Scope;
use crate::service::ShopPages;
use crate::shop::ShopId;

/// A cause in force at a shop where it does not belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    /// The shop.
    pub shop: ShopId,
    /// The campaign of the cause.
    pub campaign: Revision,
    /// Why it does not belong there.
    pub why: StrayCause,
    /// The campaign itself can release it: its release there was rejected or given up.
    pub may_be_retried: bool,
}

/// A base radius whose revision the database never gave out, so that no import outranks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownBase {
    /// The shop.
    pub shop: ShopId,
    /// The revision of its base radius.
    pub revision: Revision,
    /// The newest revision that the database gave out.
    pub newest: Revision,
}

/// At which shops campaigns are in force, as far as nobody has looked yet whether they belong
/// there.
#[derive(Debug, Default)]
pub(super) struct InForce {
    shops: BTreeMap<Revision, BTreeSet<ShopId>>,
    /// Base radii that no import outranks.
    pub(super) unknown_bases: Vec<UnknownBase>,
    /// What is damaged.
    pub(super) damaged: Vec<Damage>,
}

impl InForce {
    /// Reads what is in force at all shops, of these campaigns or, where none is named, of all. In
    /// that case it reads their base radii, too.
    pub(super) async fn read(
        wanted: &[Revision],
        shops: &dyn ShopRepository,
    ) -> Result<Self, StoreError> {
        let mut in_force = Self::default();
        let newest = shops.newest_revision().await?;
        let mut pages = ShopPages::new(shops, Scope::everything(), usize::MAX);
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
                    in_force.unknown_bases.push(UnknownBase { shop, revision, newest });
                }
            }
        }
        // Some may have been given out while the shops were read.
        let newest = shops.newest_revision().await?;
        in_force.unknown_bases.retain(|base| newest < base.revision);
        in_force.damaged = pages.damaged;
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
    pub(super) async fn of_unknown_campaigns(
        self,
        campaigns: &dyn CampaignRepository,
    ) -> Result<Vec<Stray>, StoreError> {
        let mut strays = Vec::new();
        for (revision, shops) in self.shops {
            match campaigns.get(revision).await {
                Ok(None) => {}
                Ok(Some(_)) | Err(StoreError::BadData { .. }) => continue,
                Err(error) => return Err(error),
            }
            let Some(why) = find_stray(None, false) else { continue };
            let stray = |shop| Stray { shop, campaign: revision, why, may_be_retried: false };
            strays.extend(shops.into_iter().map(stray));
        }
        Ok(strays)
    }
}
