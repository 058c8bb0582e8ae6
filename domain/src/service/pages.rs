//! What a repository lists, a page at a time.

use crate::campaign::Campaign;
use crate::damage::{Damage, Found};
use crate::ports::{CampaignRepository, OutcomeFilter, ShopOutcome, ShopRepository, StoreError};
use crate::revision::Revision;
use crate::scope::Scope;
use crate::shop::{Shop, ShopCursor};

/// How many shops are read at a time.
const SHOPS: usize = 5_000;

/// How many campaigns are read at a time.
const CAMPAIGNS: usize = 1_000;

/// How many outcomes are read at a time.
pub(crate) const OUTCOMES: usize = 10_000;

/// The shops of a scope, a page at a time.
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct ShopPages<'a> {
    shops: &'a dyn ShopRepository,
    scope: Scope,
    after: Option<ShopCursor>,
    left: usize,
    /// What the pages until now left out because it is damaged.
    pub damaged: Vec<Damage>,
}

impl<'a> ShopPages<'a> {
    /// At most `limit` shops.
    #[must_use]
    pub const fn new(shops: &'a dyn ShopRepository, scope: Scope, limit: usize) -> Self {
        Self { shops, scope, after: None, left: limit, damaged: Vec::new() }
    }

    /// The next page; `None` if there are no more shops.
    ///
    /// # Errors
    ///
    /// When the repository says so.
    pub async fn next(&mut self) -> Result<Option<Vec<Shop>>, StoreError> {
        let limit = self.left.min(SHOPS);
        if limit == 0 {
            return Ok(None);
        }
        let page = self.shops.list(&self.scope, self.after.as_ref(), limit).await?;
        self.damaged.extend(page.damaged);
        let page = page.found;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = Some(ShopCursor::behind(&last.id, self.shops.lanes()));
        self.left -= page.len();
        Ok(Some(page))
    }
}

/// The campaigns, a page at a time, the oldest first.
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct CampaignPages<'a> {
    campaigns: &'a dyn CampaignRepository,
    behind: Option<Revision>,
    is_over: bool,
    /// What the pages until now left out because it is damaged.
    pub damaged: Vec<Damage>,
}

impl<'a> CampaignPages<'a> {
    /// All campaigns.
    #[must_use]
    pub const fn new(campaigns: &'a dyn CampaignRepository) -> Self {
        Self { campaigns, behind: None, is_over: false, damaged: Vec::new() }
    }

    /// The next page; `None` if there are no more campaigns.
    ///
    /// # Errors
    ///
    /// When the repository says so.
    pub async fn next(&mut self) -> Result<Option<Vec<Campaign>>, StoreError> {
        if self.is_over {
            return Ok(None);
        }
        let Found { found: page, damaged } = self.campaigns.list(self.behind, CAMPAIGNS).await?;
        self.damaged.extend(damaged);
        self.is_over = page.len() < CAMPAIGNS;
        let Some(last) = page.last() else { return Ok(None) };
        self.behind = Some(last.name.revision);
        Ok(Some(page))
    }

    /// The campaigns of all pages that are left.
    ///
    /// # Errors
    ///
    /// When the repository says so.
    pub async fn all(mut self) -> Result<Found<Vec<Campaign>>, StoreError> {
        let mut campaigns = Vec::new();
        while let Some(page) = self.next().await? {
            campaigns.extend(page);
        }
        Ok(Found { found: campaigns, damaged: self.damaged })
    }
}

/// The outcomes of a campaign, a page at a time.
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct OutcomePages<'a> {
    campaigns: &'a dyn CampaignRepository,
    revision: Revision,
    filter: OutcomeFilter,
    from: u32,
    /// What the pages until now left out because it is damaged.
    pub damaged: Vec<Damage>,
}

impl<'a> OutcomePages<'a> {
    /// All outcomes that a filter wants.
    #[must_use]
    pub const fn new(
        campaigns: &'a dyn CampaignRepository,
        revision: Revision,
        filter: OutcomeFilter,
    ) -> Self {
        Self { campaigns, revision, filter, from: 0, damaged: Vec::new() }
    }

    /// The next page; `None` if there are no more outcomes.
    ///
    /// # Errors
    ///
    /// When the repository says so.
    pub async fn next(&mut self) -> Result<Option<Vec<ShopOutcome>>, StoreError> {
        let Self { campaigns, revision, filter, from, .. } = *self;
        let page = campaigns.outcomes(revision, filter, from, OUTCOMES).await?;
        self.damaged.extend(page.damaged);
        let Some(last) = page.found.last() else { return Ok(None) };
        self.from = last.index.saturating_add(1);
        Ok(Some(page.found))
    }
}
