//! Says what a start or an end of a campaign would change, and changes nothing.

use std::collections::BTreeSet;

use catchment_domain::ports::{
    CampaignRepository, OutcomeFilter, ShopGroup, ShopOutcome, ShopRepository, StoreError,
};
use catchment_domain::service::{OutcomePages, ShopPages};
use catchment_domain::{
    CampaignError, CampaignId, CampaignRef, Change, Command, Damage, Deadline, Origin, Phase,
    Policy, Revision, Scope, ShopId, ShopState, Slot, Status,
};
use uuid::Uuid;

use crate::UseCaseError;
use crate::forecast::Forecast;
use crate::start_campaign::CampaignPlan;

/// What previews read.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "ports have nothing to show")]
pub struct PreviewPorts<'a> {
    /// The campaigns.
    pub campaigns: &'a dyn CampaignRepository,
    /// The shops.
    pub shops: &'a dyn ShopRepository,
    /// The rules that decide.
    pub policy: &'a Policy,
}

/// What a start would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartPreview {
    /// The effect on the shops that there are.
    pub forecast: Forecast,
    /// How many ids of the scope are no shop's. Their requests will be rejected.
    pub unknown: u64,
    /// How many shops of the campaign that is replaced would be released, because the new campaign
    /// does not reach them.
    pub released: u64,
}

/// Says what the start of a campaign would change.
///
/// # Errors
///
/// When the scope has no shop, or the database cannot be read.
pub async fn preview_start(
    ports: PreviewPorts<'_>,
    plan: &CampaignPlan,
) -> Result<StartPreview, UseCaseError> {
    let scope = plan.scope.scope();
    let change = Change::Activate {
        campaign: CampaignRef { revision: Revision::MAX, id: CampaignId(Uuid::max()) },
        kind: plan.kind,
        limit: plan.limit,
        deadline: Deadline::LAST,
        replaces: plan.replaces,
    };
    let mut forecast = Forecast::default();
    for group in ports.shops.groups(scope).await? {
        forecast.add(group, &change, ports.policy);
    }
    let named = scope.named_only().map_or(0, BTreeSet::len) as u64;
    let unknown = named.saturating_sub(forecast.shops);
    if forecast.shops + unknown == 0 {
        return Err(CampaignError::EmptyScope.into());
    }
    let released = match plan.replaces {
        Some(replaced) => not_reached(ports, replaced.campaign.revision, scope).await?,
        None => 0,
    };
    Ok(StartPreview { forecast, unknown, released })
}

/// Counts the shops that a campaign may have narrowed and a scope does not reach.
async fn not_reached(
    ports: PreviewPorts<'_>,
    revision: Revision,
    scope: &Scope,
) -> Result<u64, StoreError> {
    let mut count = 0;
    let mut pages = outcomes(ports, revision);
    while let Some(page) = pages.next().await? {
        let narrowed = narrowed(page);
        count += narrowed.len() as u64;
        let reached = match &scope.ids {
            Some(ids) => narrowed.intersection(ids).cloned().collect(),
            None => narrowed,
        };
        let reached = Scope { ids: Some(reached), ..scope.clone() };
        count -= ports.shops.count(&reached).await?.min(count);
    }
    Ok(count)
}

/// What an end would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndPreview {
    /// The effect on the shops where the campaign is in force.
    pub forecast: Forecast,
    /// What the preview leaves out because it cannot be read.
    pub damaged: Vec<Damage>,
}

/// Says what the end of a campaign would change.
///
/// # Errors
///
/// When there is no such campaign, it cannot be ended, or the database cannot be read.
pub async fn preview_end(
    ports: PreviewPorts<'_>,
    revision: Revision,
) -> Result<EndPreview, UseCaseError> {
    let campaign = ports.campaigns.get(revision).await?;
    let campaign = campaign.ok_or(CampaignError::Unknown(revision))?;
    // Its state alone says whether it can be ended, so no chunks are needed.
    campaign.clone().command(Command::End, &mut [], campaign.deadline)?;
    let change = Change::Release { campaign: campaign.name, deadline: campaign.deadline };
    let mut forecast = Forecast::default();
    let mut damaged = Vec::new();
    let mut pages = outcomes(ports, revision);
    while let Some(page) = pages.next().await? {
        let scope = Scope { ids: Some(narrowed(page)), ..Scope::everything() };
        let mut shops = ShopPages::new(ports.shops, scope, usize::MAX);
        while let Some(shops) = shops.next().await? {
            for shop in shops.into_iter().filter(|shop| is_in_force(revision, &shop.state)) {
                let (region, state) = (shop.profile.region, shop.state);
                forecast.add(ShopGroup { region, state, shops: 1 }, &change, ports.policy);
            }
        }
        damaged.append(&mut shops.damaged);
    }
    damaged.append(&mut pages.damaged);
    Ok(EndPreview { forecast, damaged })
}

fn is_in_force(campaign: Revision, shop: &ShopState) -> bool {
    shop.active.iter().any(|cause| cause.origin == Origin::Campaign(campaign))
}

fn outcomes(ports: PreviewPorts<'_>, revision: Revision) -> OutcomePages<'_> {
    let filter = OutcomeFilter { phase: Phase::Activation, status: None };
    OutcomePages::new(ports.campaigns, revision, filter)
}

/// The shops that a campaign may have narrowed.
fn narrowed(outcomes: Vec<ShopOutcome>) -> BTreeSet<ShopId> {
    let is_narrowed = |outcome: &ShopOutcome| match outcome.slot {
        // A request that was given up may have taken effect.
        Slot::Open | Slot::Closed(Status::Applied | Status::Unchanged | Status::Failed) => true,
        Slot::Idle | Slot::Closed(Status::Superseded | Status::Rejected | Status::Expired) => false,
    };
    outcomes.into_iter().filter(is_narrowed).map(|outcome| outcome.shop).collect()
}

/// How many shops a scope has, beside all that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The shops of the scope.
    pub shops: u64,
    /// All shops.
    pub all: u64,
}

impl Reach {
    /// Whether the scope has more than a tenth of all shops, so that a user should confirm it.
    #[must_use]
    pub const fn is_broad(self) -> bool {
        self.all < self.shops.saturating_mul(10)
    }
}

/// Counts the shops of a scope, and all shops.
///
/// # Errors
///
/// When the database cannot be read.
pub async fn reach(shops: &dyn ShopRepository, scope: &Scope) -> Result<Reach, UseCaseError> {
    let all = shops.count(&Scope::everything()).await?;
    Ok(Reach { shops: shops.count(scope).await?, all })
}
