//! The findings of an audit in words, with the commands that help.

use catchment_domain::service::{Difference, DifferenceKind, Stray, UnknownBase};
use catchment_domain::{Proof, Slot, StrayCause};

use crate::number::grouped;
use crate::output::shell_word;

/// The command that replaces a base radius of an unknown revision. The file must name a base radius
/// for the shop.
const OVERRULE: &str = "catchment shops import FILE --overrule";

/// Describes how an outcome disagrees with other stored data, and what to do.
pub(super) fn describe(difference: &Difference) -> String {
    let Difference { campaign, phase, shop, slot, kind } = difference;
    let (phase, told) = (phase.as_str(), told(*slot));
    let (what, advice) = match kind {
        DifferenceKind::Wrong(proof) => {
            (format!("{told}, but {}", proved(*proof)), show(shop.as_str()))
        }
        DifferenceKind::Foreign { may_be_retried } => {
            let what = "counts as rejected because a record with the id of its request did not \
                        agree with the campaign as it was stored then";
            let retry = format!("`catchment campaign retry {campaign}` asks for it again");
            let advice = if *may_be_retried { retry } else { "the campaign is over".to_owned() };
            (what.to_owned(), advice)
        }
        DifferenceKind::Missing => {
            let what = format!(
                "{told}, but the limit is not in force there, and nothing that is kept says that a \
                 command released it"
            );
            (what, show(shop.as_str()))
        }
    };
    format!("campaign {campaign}, shop {shop}: the {phase} {what}; {advice}")
}

fn show(shop: &str) -> String {
    let typed = shell_word(shop);
    format!("`catchment shops show {typed}` shows what is in force there")
}

fn told(slot: Slot) -> String {
    match slot {
        Slot::Idle => "was not asked for".to_owned(),
        Slot::Open => "has no outcome".to_owned(),
        Slot::Closed(status) => format!("counts as {status}"),
    }
}

fn proved(proof: Proof) -> String {
    match proof.effects() {
        (0, _) => "no receipt says that it took effect".to_owned(),
        (1, Some(effect)) => format!("a receipt says that it was {effect}"),
        (times, _) => format!("receipts say that it took effect {times} times"),
    }
}

/// Describes a stray cause, and what ends it.
pub(super) fn describe_stray(stray: &Stray) -> String {
    let Stray { shop, campaign, why, .. } = stray;
    let why = match why {
        StrayCause::UnknownCampaign => "the database has no such campaign",
        StrayCause::NotListed => "its list does not name this shop",
        StrayCause::Ended => "it has ended",
    };
    let command = release_command(stray);
    format!(
        "shop {shop}: the limit of campaign {campaign} is in force there, but {why}; \
         `{command}` ends it"
    )
}

/// Returns the command that ends a stray cause.
fn release_command(stray: &Stray) -> String {
    let campaign = stray.campaign;
    if stray.may_be_retried {
        return format!("catchment campaign retry {campaign}");
    }
    let shop = shell_word(stray.shop.as_str());
    format!("catchment shops release --campaign {campaign} {shop}")
}

/// Describes a base radius of a revision that was never given out, and what replaces it.
pub(super) fn describe_base(base: &UnknownBase) -> String {
    let UnknownBase { shop, revision, newest } = base;
    format!(
        "shop {shop}: its base radius has revision {revision}, but {newest} is the newest that \
         the database gave out, so no import outranks it; `{OVERRULE}` replaces it"
    )
}

/// Returns a number of base radii in words.
pub(super) fn base_radii(count: u64) -> String {
    let noun = if count == 1 { "base radius" } else { "base radii" };
    format!("{} {noun}", grouped(count))
}

#[cfg(test)]
mod tests {
    use catchment_domain::{Outcome, Phase, Revision, Status};

    use super::*;

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
            let (campaign, shop) = (Revision(7), "a b".parse().unwrap());
            let kind = DifferenceKind::Wrong(proof);
            let line = describe(&Difference { campaign, phase, shop, slot, kind });
            let expected = format!(
                "campaign 7, shop a b: {words}; \
                 `catchment shops show 'a b'` shows what is in force there"
            );
            assert_eq!(line, expected);
        }
    }
}
