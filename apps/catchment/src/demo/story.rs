//! The story of the origin: triggers that fire together over the same shops.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use catchment_api::Counts;
use catchment_bootstrap::engine::Engine;
use catchment_bootstrap::random;
use catchment_bootstrap::stores::Stores;
use catchment_domain::{
    Campaign, Command, DecidedBy, Draft, Phase, Policy, Revision, Scope, ShopCursor, ShopId, Tally,
};

use super::oracle::{Cap, Wish, expected};
use crate::output::note;
use crate::run::{FAST, failure, follow};
use crate::watch::why_stalled;

/// How many shops are compared at a time.
const PAGE: usize = 5_000;

/// The stores, the rules, and the engine, unless services do the work.
pub(crate) struct Stage<'a> {
    pub(crate) stores: &'a Stores,
    pub(crate) policy: &'a Policy,
    pub(crate) engine: Option<Engine>,
}

/// The result of an act.
pub(crate) struct Act {
    pub(crate) name: &'static str,
    /// The campaigns that took part, with their outcomes in this act.
    pub(crate) rows: Vec<(Campaign, Tally)>,
    pub(crate) seconds: f64,
    /// How many shops had another radius or reason than the oracle says.
    pub(crate) wrong: u64,
}

impl Act {
    /// Returns how many shops were asked. A shop that several campaigns asked counts for each.
    pub(crate) fn shops(&self) -> u64 {
        self.rows.iter().map(|(campaign, _)| u64::from(campaign.shops)).sum()
    }

    /// Returns how many shops have which outcome, over all campaigns of the act.
    pub(crate) fn outcomes(&self) -> Counts {
        let mut outcomes = Counts::new();
        for (status, count) in self.rows.iter().flat_map(|(_, tally)| tally.iter()) {
            *outcomes.entry(status.to_string()).or_default() += count;
        }
        outcomes
    }
}

/// A campaign of the story before it has a revision.
struct Role {
    kind: &'static str,
    limit: &'static str,
    rank: u8,
    cap: Cap,
    scope: Scope,
    reason: &'static str,
}

/// A campaign of the story that is in force.
struct Player {
    role: &'static str,
    revision: Revision,
    wish: Wish,
}

/// The shops of the story, by what the story knows of them.
struct Cast {
    ids: Vec<ShopId>,
    regions: BTreeMap<String, HashSet<String>>,
}

/// Plays the story, and reports each act when it is over. Returns how often a shop was not as the
/// oracle says.
pub(crate) async fn play(
    stage: &mut Stage<'_>,
    mut report: impl FnMut(&Act) -> std::io::Result<()>,
) -> anyhow::Result<u64> {
    let cast = cast(stage).await?;
    let mut wrong = 0;
    let mut show = |act: &Act| {
        wrong += act.wrong;
        report(act)
    };
    let (act, mut players) = begin(stage, &cast).await?;
    show(&act)?;
    for (name, role) in ENDINGS {
        let is_over = |player: &Player| role.is_none_or(|role| role == player.role);
        let (leaving, staying) = players.into_iter().partition(is_over);
        let act = end(stage, name, leaving, &staying).await?;
        show(&act)?;
        players = staying;
    }
    Ok(wrong)
}

/// The acts after the first, and the role that leaves in each; `None` is everybody.
const ENDINGS: [(&str, Option<&str>); 3] = [
    ("the system failure ends", Some(SYSTEM_FAILURE)),
    ("client B ends", Some(CLIENT_B)),
    ("everything ends", None),
];
const SYSTEM_FAILURE: &str = "payments fail";
const CLIENT_B: &str = "client B: shops B, D";

async fn cast(stage: &Stage<'_>) -> anyhow::Result<Cast> {
    let mut cast = Cast { ids: Vec::new(), regions: BTreeMap::new() };
    let mut after = None;
    loop {
        let page = stage.stores.shops.list(&Scope::everything(), after.as_ref(), PAGE).await?.found;
        let Some(last) = page.last() else { return Ok(cast) };
        after = Some(ShopCursor::behind(&last.id, stage.stores.shops.lanes()));
        for shop in page {
            let region = cast.regions.entry(shop.profile.region).or_default();
            region.insert(shop.id.as_str().to_owned());
            cast.ids.push(shop.id);
        }
    }
}

/// Returns the roles: two automatic triggers that meet on half of the shops, one that covers a
/// third of the regions, and two clients that meet on two of four shops.
fn roles(cast: &Cast) -> Vec<Role> {
    let ids = |pick: &dyn Fn(usize) -> bool| {
        let picked = cast.ids.iter().enumerate().filter(|(index, _)| pick(*index));
        Scope { ids: Some(picked.map(|(_, id)| id.clone()).collect()), ..Scope::default() }
    };
    let third = cast.regions.len().div_ceil(3);
    let regions: BTreeSet<String> = cast.regions.keys().take(third).cloned().collect();
    let rainy = Scope { regions, ..Scope::default() };
    let automatic =
        |kind, limit, cap, scope, reason| Role { kind, limit, rank: 10, cap, scope, reason };
    let client = |limit, metres, scope, reason| Role {
        kind: "manual",
        limit,
        rank: 20,
        cap: Cap::Metres(metres),
        scope,
        reason,
    };
    let everywhere = Scope::everything();
    let half = ids(&|index| index % 2 == 0);
    vec![
        automatic("rider_shortage", "3km", Cap::Metres(3000), everywhere, "too few riders"),
        automatic("system_failure", "1km", Cap::Metres(1000), half, SYSTEM_FAILURE),
        automatic("bad_weather", "50%", Cap::Percent(50), rainy, "heavy rain"),
        client("2km", 2000, ids(&|index| index < 4), "client A: shops A, B, C, D"),
        client("1.5km", 1500, ids(&|index| index == 1 || index == 3), CLIENT_B),
    ]
}

/// Returns the shops of a role, without asking the domain.
fn shops_of(cast: &Cast, scope: &Scope) -> HashSet<String> {
    let text =
        |ids: &mut dyn Iterator<Item = &ShopId>| ids.map(|id| id.as_str().to_owned()).collect();
    match &scope.ids {
        Some(ids) => text(&mut ids.iter()),
        None if scope.regions.is_empty() => text(&mut cast.ids.iter()),
        None => {
            let regions = scope.regions.iter().filter_map(|region| cast.regions.get(region));
            regions.flatten().cloned().collect()
        }
    }
}

fn draft(role: &Role) -> anyhow::Result<Draft> {
    Ok(Draft {
        kind: role.kind.parse()?,
        limit: role.limit.parse()?,
        scope: role.scope.clone(),
        reason: role.reason.to_owned(),
        timeout: Duration::from_mins(5),
        until: None,
        replaces: None,
        id: random::campaign_id(),
        nonce: random::nonce(),
    })
}

/// Plays the first act: all campaigns start at once, each from its own client.
async fn begin(stage: &mut Stage<'_>, cast: &Cast) -> anyhow::Result<(Act, Vec<Player>)> {
    let roles = roles(cast);
    let wishes: Vec<_> = roles.iter().map(|role| shops_of(cast, &role.scope)).collect();
    let drafts = roles.iter().map(draft).collect::<anyhow::Result<Vec<_>>>()?;
    let start = Instant::now();
    let clients: Vec<_> = drafts
        .into_iter()
        .map(|draft| {
            let campaigns = Arc::clone(&stage.stores.campaigns);
            tokio::spawn(async move { campaigns.add(&draft).await })
        })
        .collect();
    let mut players = Vec::new();
    for ((client, role), shops) in clients.into_iter().zip(roles).zip(wishes) {
        let revision = client.await??.name.revision;
        let wish = Wish { campaign: revision.0, rank: role.rank, cap: role.cap, shops };
        players.push(Player { role: role.reason, revision, wish });
    }
    let revisions: Vec<Revision> = players.iter().map(|player| player.revision).collect();
    let name = "everything fires at once";
    let act = finish(stage, name, (start, &revisions, Phase::Activation), &players).await?;
    Ok((act, players))
}

/// Plays a later act: some campaigns end, all at once.
async fn end(
    stage: &mut Stage<'_>,
    name: &'static str,
    leaving: Vec<Player>,
    staying: &[Player],
) -> anyhow::Result<Act> {
    let start = Instant::now();
    let revisions: Vec<Revision> = leaving.iter().map(|player| player.revision).collect();
    for revision in &revisions {
        stage.stores.campaigns.command(*revision, Command::End).await?;
    }
    finish(stage, name, (start, &revisions, Phase::Release), staying).await
}

/// Waits until the campaigns of an act are through, and compares every shop with the oracle.
async fn finish(
    stage: &mut Stage<'_>,
    name: &'static str,
    (start, revisions, phase): (Instant, &[Revision], Phase),
    in_force: &[Player],
) -> anyhow::Result<Act> {
    let mut rows = Vec::new();
    for revision in revisions {
        let campaign = through(stage, *revision).await?;
        rows.push((campaign, Tally::default()));
    }
    let seconds = start.elapsed().as_secs_f64();
    for (campaign, tally) in &mut rows {
        let tallies = stage.stores.campaigns.tallies(campaign.name.revision).await?.found;
        *tally = match phase {
            Phase::Activation => tallies.activation,
            Phase::Release => tallies.release,
        };
    }
    let wishes: Vec<Wish> = in_force.iter().map(|player| player.wish.clone()).collect();
    let wrong = compare(stage, &wishes).await?;
    Ok(Act { name, rows, seconds, wrong })
}

/// Waits until a campaign has no open shop.
async fn through(stage: &mut Stage<'_>, revision: Revision) -> anyhow::Result<Campaign> {
    let mut subscription = follow(stage.stores, revision, FAST);
    loop {
        let progress = tokio::select! {
            progress = subscription.changed() => progress?,
            error = failure(&mut stage.engine) => return Err(error),
        };
        let campaign = &progress.campaign;
        if campaign.state.open() == 0 {
            return Ok(campaign.clone());
        }
        if progress.stalled_since.is_some() {
            note(why_stalled(campaign.reply_lane, stage.stores.is_embedded()));
        }
    }
}

/// Counts the shops whose radius or reason differs from the oracle's.
async fn compare(stage: &Stage<'_>, wishes: &[Wish]) -> anyhow::Result<u64> {
    let floor = stage.policy.floor;
    let mut wrong = 0;
    let mut after = None;
    loop {
        let page = stage.stores.shops.list(&Scope::everything(), after.as_ref(), PAGE).await?.found;
        let Some(last) = page.last() else { return Ok(wrong) };
        after = Some(ShopCursor::behind(&last.id, stage.stores.shops.lanes()));
        for shop in &page {
            let base = shop.state.base.radius.metres();
            let verdict = expected(shop.id.as_str(), base, floor.metres(), wishes);
            let campaign = match shop.state.resolution(floor).decided_by {
                DecidedBy::Campaign { revision, .. } => Some(revision.0),
                DecidedBy::Base | DecidedBy::Request { .. } => None,
            };
            wrong += u64::from((shop.state.radius.metres(), campaign) != verdict);
        }
    }
}
