//! What receipts prove, and how outcomes are judged by the proof.

use catchment_domain::{CauseEnds, Code, Outcome, Phase, Proof, Slot, Status, Verdict};
use proptest::prelude::*;

use Phase::{Activation, Release};
use Status::{Applied, Expired, Failed, Rejected, Superseded, Unchanged};
use Verdict::{Agrees, Differs, Foreign, Unproved};

/// An answer to a request of the campaign.
fn told(status: Status) -> Outcome {
    Outcome { status, code: None, detail: None, standing: None, repeat: false }
}

fn repeated(status: Status) -> Outcome {
    Outcome { repeat: true, ..told(status) }
}

/// The rejection of a record that was not a request of the campaign.
fn foreign() -> Outcome {
    Outcome::rejected(Code::CampaignDiffers, None)
}

const GOES_ON: CauseEnds = CauseEnds { is_over: false, commands: 0 };
const OVER: CauseEnds = CauseEnds { is_over: true, commands: 0 };
const COMMANDED: CauseEnds = CauseEnds { is_over: false, commands: 1 };

#[track_caller]
fn check(phase: Phase, receipts: &[Outcome], slot: Slot, ends: CauseEnds, expected: Verdict) {
    let mut proof = Proof::default();
    for receipt in receipts {
        proof.add(phase, receipt);
    }
    let case = (phase, receipts, slot, ends);
    assert_eq!(proof.judge(phase, slot, ends), expected, "{case:?}");
}

#[test]
fn an_activation_is_what_its_receipts_say() {
    for (receipts, status, ends, expected) in [
        (&[told(Applied)][..], Applied, GOES_ON, Agrees),
        (&[told(Applied)], Unchanged, GOES_ON, Differs),
        (&[told(Applied)], Rejected, GOES_ON, Differs),
        (&[told(Applied), told(Rejected)], Rejected, GOES_ON, Differs),
        (&[told(Rejected)], Rejected, GOES_ON, Agrees),
        (&[told(Rejected), told(Applied)], Applied, GOES_ON, Agrees),
        // A forged reply came first: the true reply said something else.
        (&[told(Rejected)], Applied, GOES_ON, Differs),
        (&[told(Expired)], Applied, GOES_ON, Differs),
        // The first receipt was pruned, but the receipt of a copy has the first status.
        (&[repeated(Applied)], Applied, GOES_ON, Agrees),
        (&[repeated(Unchanged)], Applied, GOES_ON, Differs),
        // No receipt of the request is kept.
        (&[], Applied, GOES_ON, Unproved),
        (&[], Rejected, GOES_ON, Unproved),
        (&[], Expired, GOES_ON, Unproved),
        (&[], Failed, GOES_ON, Agrees),
    ] {
        check(Activation, receipts, Slot::Closed(status), ends, expected);
    }
    check(Activation, &[told(Applied)], Slot::Open, GOES_ON, Agrees);
}

/// A command released the campaign at the shop. Its receipt is kept, or was pruned.
#[test]
fn what_a_command_ended_is_no_difference() {
    for (receipts, status, ends, expected) in [
        (&[told(Applied), told(Superseded)][..], Superseded, COMMANDED, Agrees),
        (&[told(Applied), told(Superseded)], Superseded, GOES_ON, Agrees),
        (&[told(Applied)], Superseded, GOES_ON, Differs),
        (&[told(Rejected)], Superseded, GOES_ON, Unproved),
        (&[], Superseded, GOES_ON, Unproved),
        (&[], Superseded, OVER, Agrees),
        (&[told(Applied), told(Expired)], Expired, COMMANDED, Agrees),
        (&[told(Applied), told(Expired)], Expired, OVER, Agrees),
        (&[told(Applied), told(Expired)], Expired, GOES_ON, Unproved),
        (&[told(Applied)], Expired, GOES_ON, Differs),
        (&[told(Expired)], Expired, GOES_ON, Agrees),
        // A retry brought the limit back, after the released cause was forgotten.
        (&[told(Applied), told(Applied)], Applied, COMMANDED, Agrees),
        (&[told(Applied), told(Applied)], Applied, GOES_ON, Differs),
        (&[told(Applied), told(Applied)], Applied, OVER, Differs),
    ] {
        check(Activation, receipts, Slot::Closed(status), ends, expected);
    }
}

#[test]
fn a_release_is_what_its_receipts_say() {
    for (receipts, slot, expected) in [
        (&[told(Applied)][..], Slot::Closed(Applied), Agrees),
        // Another campaign's activation or a command had already released the cause.
        (&[repeated(Applied)], Slot::Closed(Applied), Agrees),
        // A copy came after its released cause was dropped.
        (&[told(Applied), told(Unchanged)], Slot::Closed(Applied), Agrees),
        (&[told(Unchanged), told(Unchanged)], Slot::Closed(Unchanged), Agrees),
        (&[repeated(Applied), told(Unchanged)], Slot::Closed(Applied), Agrees),
        (&[told(Applied), told(Applied)], Slot::Closed(Applied), Differs),
        (&[told(Applied)], Slot::Closed(Rejected), Differs),
        (&[told(Rejected)], Slot::Closed(Applied), Differs),
        (&[told(Applied)], Slot::Idle, Differs),
        // Somebody released the campaign at a shop that it never asked.
        (&[told(Unchanged)], Slot::Idle, Agrees),
        (&[], Slot::Idle, Agrees),
    ] {
        check(Release, receipts, slot, OVER, expected);
    }
}

#[test]
fn a_record_that_was_no_request_of_the_campaign_is_told_apart() {
    for (receipts, status, expected) in [
        (&[foreign()][..], Rejected, Foreign),
        (&[foreign(), told(Rejected)], Rejected, Agrees),
        (&[foreign(), told(Applied)], Applied, Agrees),
        (&[foreign(), told(Applied)], Rejected, Differs),
        (&[foreign()], Applied, Unproved),
        (&[foreign()], Expired, Unproved),
        // The campaign's row was lost for a while, so its own requests were rejected.
        (&[Outcome::rejected(Code::UnknownCampaign, None)], Rejected, Agrees),
        (&[Outcome::rejected(Code::UnknownCampaign, None)], Applied, Differs),
    ] {
        check(Activation, receipts, Slot::Closed(status), GOES_ON, expected);
    }
}

proptest! {
    /// In any order of the receipts, records of others never count against an outcome. The outcome
    /// agrees, because the only other receipt has the same status.
    #[test]
    fn prop_foreign_records_prove_nothing(
        status in proptest::sample::select(Status::ALL.to_vec()),
        before in 0_usize..3,
        after in 0_usize..3,
        is_over: bool,
    ) {
        let mut proof = Proof::default();
        let records = std::iter::repeat_n(foreign(), before)
            .chain([told(status)])
            .chain(std::iter::repeat_n(foreign(), after));
        for record in records {
            proof.add(Activation, &record);
        }
        let ends = CauseEnds { is_over, commands: 0 };
        prop_assert_eq!(proof.judge(Activation, Slot::Closed(status), ends), Agrees);
    }
}
