//! Outcomes that do not agree with what is stored elsewhere. Outcomes change while they are
//! compared, so each difference is looked at again before it is told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem;
use std::ops::Bound::{Excluded, Unbounded};

use catchment_domain::ports::{OutcomeFilter, ShopOutcome, StoreError};
use catchment_domain::{
    Attempt, Campaign, Phase, Proof, Revision, Scope, ShopId, ShopState, Slot, Verdict,
    is_cause_missing,
};

use super::PAGE;
use super::evidence::Evidence;
use crate::commands::Context;
use crate::commands::shops::Pages;
use crate::output::shell_word;

/// How often differences are looked at again while they change.
const LOOKS: usize = 3;

/// An outcome: its campaign, its phase, and the place of its shop in the campaign's list.
pub(super) type Key = (Revision, Phase, u32);

/// What became of the outcomes that seemed to differ.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Outcomes that agree after all.
    pub(super) agree: u64,
    /// Outcomes that cannot be checked.
    pub(super) unproved: u64,
    /// Outcomes that changed with each look.
    pub(super) moved: u64,
    /// Outcomes that differ from the receipts.
    pub(super) wrong: Vec<String>,
    /// Outcomes that are answers to records that were no requests of their campaigns.
    pub(super) foreign: Vec<String>,
    /// Outcomes of activations whose limits are not in force.
    pub(super) missing: Vec<String>,
}

impl Differences {
    /// Looks again at outcomes that seemed to differ.
    ///
    /// An outcome is judged if it is the same before and after everything else was read.
    pub(super) async fn look_again(
        mut suspects: BTreeSet<Key>,
        context: &Context,
    ) -> anyhow::Result<Self> {
        let mut differences = Self::default();
        for _ in 0..LOOKS {
            if suspects.is_empty() {
                break;
            }
            let before = Look::read(&suspects, context).await?;
            let shops = before.shops(context).await?;
            // After the shops: a release and its receipt are stored together.
            let (evidence, _) = Evidence::read(&before.campaigns(), context).await?;
            let after = Look::read(&suspects, context).await?;
            for key in mem::take(&mut suspects) {
                let Some((campaign, outcome)) = before.stable(key, &after) else {
                    suspects.insert(key);
                    continue;
                };
                let shop = shops.get(&outcome.shop);
                differences.judge((campaign, key.1), outcome, shop, &evidence);
            }
        }
        differences.moved = suspects.len() as u64;
        Ok(differences)
    }

    fn judge(
        &mut self,
        (campaign, phase): (&Campaign, Phase),
        outcome: &ShopOutcome,
        shop: Option<&ShopState>,
        evidence: &Evidence,
    ) {
        let revision = campaign.name.revision;
        let commands = evidence.commands(revision, &outcome.shop);
        let is_missing = phase == Phase::Activation
            && shop.is_some_and(|shop| is_cause_missing(campaign, outcome.slot, shop, commands));
        match evidence.judge(campaign, phase, outcome) {
            (proof, Verdict::Differs) => {
                self.wrong.push(describe((revision, phase), outcome, proof));
            }
            (_, Verdict::Foreign) => {
                self.foreign.push(describe_foreign((campaign, phase), outcome));
            }
            (_, Verdict::Agrees | Verdict::Unproved) if is_missing => {
                self.missing.push(describe_missing(revision, outcome));
            }
            // It may have been opened again meanwhile.
            (_, Verdict::Agrees) => {
                self.agree += u64::from(matches!(outcome.slot, Slot::Closed(_)));
            }
            (_, Verdict::Unproved) => self.unproved += 1,
        }
    }
}

/// Some outcomes at one time, with their campaigns.
struct Look {
    campaigns: BTreeMap<Revision, Campaign>,
    outcomes: BTreeMap<Key, ShopOutcome>,
}

impl Look {
    /// Reads outcomes; without those that cannot be read, or whose campaigns cannot be read.
    async fn read(keys: &BTreeSet<Key>, context: &Context) -> anyhow::Result<Self> {
        let stored = &context.stores.campaigns;
        let mut look = Self { campaigns: BTreeMap::new(), outcomes: BTreeMap::new() };
        for revision in keys.iter().map(|(revision, ..)| *revision).collect::<BTreeSet<_>>() {
            match stored.get(revision).await {
                Ok(campaign) => look.campaigns.extend(campaign.map(|found| (revision, found))),
                Err(StoreError::BadData { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let mut next = keys.first().copied();
        while let Some((revision, phase, from)) = next {
            let filter = OutcomeFilter { phase, status: None };
            let last = keys.range(..=(revision, phase, u32::MAX)).next_back();
            let most = last.map_or(0, |(.., last)| last.saturating_sub(from)) as usize + 1;
            let page = stored.outcomes(revision, filter, from, most.min(PAGE)).await?.found;
            let read_to = page.last().map_or(u32::MAX, |outcome| outcome.index);
            let of_page =
                page.into_iter().map(|outcome| ((revision, phase, outcome.index), outcome));
            look.outcomes.extend(of_page.filter(|(key, _)| keys.contains(key)));
            let behind = (revision, phase, read_to);
            next = keys.range((Excluded(behind), Unbounded)).next().copied();
        }
        Ok(look)
    }

    fn campaigns(&self) -> Vec<Campaign> {
        self.campaigns.values().cloned().collect()
    }

    /// What is in force at the shops whose activations took effect by these outcomes, as far as it
    /// can be read.
    async fn shops(&self, context: &Context) -> anyhow::Result<HashMap<ShopId, ShopState>> {
        let took_effect = |(key, outcome): &(&Key, &ShopOutcome)| {
            key.1 == Phase::Activation && outcome.slot.took_effect()
        };
        let ids = self.outcomes.iter().filter(took_effect).map(|(_, outcome)| outcome.shop.clone());
        let scope = Scope { ids: Some(ids.collect()), ..Scope::everything() };
        let (mut pages, mut shops) = (Pages::new(context, scope, usize::MAX), HashMap::new());
        while let Some(page) = pages.next().await? {
            shops.extend(page.into_iter().map(|shop| (shop.id, shop.state)));
        }
        Ok(shops)
    }

    /// An outcome that did not change until a later look, and its campaign.
    fn stable(&self, key: Key, later: &Self) -> Option<(&Campaign, &ShopOutcome)> {
        let of_key = |look: &Self| -> Option<(Attempt, bool, Option<Revision>, Slot)> {
            let Campaign { attempt, state, replaced_by, .. } = look.campaigns.get(&key.0)?;
            let slot = look.outcomes.get(&key)?.slot;
            Some((*attempt, state.is_ending_or_ended(), *replaced_by, slot))
        };
        if of_key(self)? != of_key(later)? {
            return None;
        }
        self.campaigns.get(&key.0).zip(self.outcomes.get(&key))
    }
}

/// Why an outcome is not the answer to the campaign's own request, and what to do.
fn describe_foreign((campaign, phase): (&Campaign, Phase), outcome: &ShopOutcome) -> String {
    let (revision, shop) = (campaign.name.revision, &outcome.shop);
    let is_over = phase == Phase::Activation && campaign.state.is_ending_or_ended();
    let advice = if is_over {
        "the campaign is over".to_owned()
    } else {
        format!("`catchment campaign retry {revision}` asks for it again")
    };
    format!(
        "campaign {revision}, shop {shop}: the {} counts as rejected because a record with the id of \
         its request did not agree with the campaign as it was stored then; {advice}",
        phase.as_str()
    )
}

/// How an outcome differs from the receipts, and what to look at.
fn describe((campaign, phase): (Revision, Phase), outcome: &ShopOutcome, proof: Proof) -> String {
    let told = told(outcome.slot);
    let proved = match proof.effects() {
        (0, _) => "no receipt says that it took effect".to_owned(),
        (1, Some(effect)) => format!("a receipt says that it was {effect}"),
        (times, _) => format!("receipts say that it took effect {times} times"),
    };
    let (phase, shop) = (phase.as_str(), &outcome.shop);
    let typed = shell_word(shop.as_str());
    format!(
        "campaign {campaign}, shop {shop}: the {phase} {told}, but {proved}; \
         `catchment shops show {typed}` shows what is in force there"
    )
}

fn told(slot: Slot) -> String {
    match slot {
        Slot::Idle => "was not asked for".to_owned(),
        Slot::Open => "has no outcome".to_owned(),
        Slot::Closed(status) => format!("counts as {status}"),
    }
}

/// How an outcome differs from what is in force, and what to look at.
fn describe_missing(campaign: Revision, outcome: &ShopOutcome) -> String {
    let (shop, told) = (&outcome.shop, told(outcome.slot));
    let typed = shell_word(shop.as_str());
    format!(
        "campaign {campaign}, shop {shop}: the activation {told}, but the limit is not in force \
         there, and nothing that is kept says that a command released it; \
         `catchment shops show {typed}` shows what is in force there"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use catchment_domain::{
        CampaignId, CampaignState, Deadline, Draft, Nonce, Outcome, Status, Timestamp,
    };
    use uuid::Uuid;

    use super::*;

    fn look(change: impl FnOnce(&mut Campaign, &mut Slot)) -> Look {
        let draft = Draft {
            kind: "rider_shortage".parse().unwrap(),
            limit: "3km".parse().unwrap(),
            scope: Scope::everything(),
            reason: String::new(),
            timeout: Duration::from_secs(1),
            until: None,
            replaces: None,
            id: CampaignId(Uuid::nil()),
            nonce: Nonce::from_random(7),
        };
        let now = (Timestamp::from_millis(0), Deadline::MIN);
        let mut campaign = draft.begin(Revision(7), 1, None, now);
        let mut slot = Slot::Closed(Status::Rejected);
        change(&mut campaign, &mut slot);
        let shop = "a".parse().unwrap();
        let outcome = ShopOutcome { index: 0, shop, slot, code: None, message: None };
        Look { campaigns: [(Revision(7), campaign)].into(), outcomes: [(KEY, outcome)].into() }
    }

    const KEY: Key = (Revision(7), Phase::Activation, 0);

    #[test]
    fn an_outcome_that_changes_between_two_looks_is_not_judged() {
        let before = look(|_, _| {});
        assert!(before.stable(KEY, &look(|_, _| {})).is_some());
        // Other shops of the campaign go on.
        let open = CampaignState::Sending { open: 9 };
        assert!(before.stable(KEY, &look(|campaign, _| campaign.state = open)).is_some());
        for after in [
            look(|_, slot| *slot = Slot::Closed(Status::Applied)),
            look(|_, slot| *slot = Slot::Open),
            // It was asked for again, and has the same outcome again.
            look(|campaign, _| campaign.attempt = Attempt(2)),
            look(|campaign, _| campaign.state = CampaignState::Ended),
            look(|campaign, _| campaign.replaced_by = Some(Revision(8))),
        ] {
            assert!(before.stable(KEY, &after).is_none());
        }
    }

    #[test]
    fn what_differs_is_told_in_words() {
        let told =
            |status| Outcome { status, code: None, detail: None, standing: None, repeat: false };
        let proof = |phase, times: usize| {
            let mut proof = Proof::default();
            for _ in 0..times {
                proof.add(phase, &told(Status::Applied));
            }
            proof
        };
        for (phase, slot, proof, words) in [
            (
                Phase::Activation,
                Slot::Closed(Status::Applied),
                proof(Phase::Activation, 0),
                "the activation counts as applied, but no receipt says that it took effect",
            ),
            (
                Phase::Release,
                Slot::Closed(Status::Rejected),
                proof(Phase::Release, 1),
                "the release counts as rejected, but a receipt says that it was applied",
            ),
            (
                Phase::Release,
                Slot::Idle,
                proof(Phase::Release, 2),
                "the release was not asked for, but receipts say that it took effect 2 times",
            ),
        ] {
            let shop = "a b".parse().unwrap();
            let outcome = ShopOutcome { index: 0, shop, slot, code: None, message: None };
            let line = describe((Revision(7), phase), &outcome, proof);
            let expected = format!(
                "campaign 7, shop a b: {words}; \
                 `catchment shops show 'a b'` shows what is in force there"
            );
            assert_eq!(line, expected);
        }
    }
}
