//! Prints what was measured.

use std::fmt::Display;
use std::time::Duration;

use indicatif::HumanCount;
use serde_json::json;

use crate::embedded::{Campaign, Measured};

/// Prints a campaign in one process.
pub(crate) fn embedded(measured: &Measured, as_json: bool) {
    let Measured { shops, campaign: Campaign { took, memory, time }, bare } = measured;
    let memory = memory.map(|bytes| bytes / 1_048_576);
    if as_json {
        return say(json!({
            "shops": shops,
            "seconds": took.as_secs_f64(),
            "shops_per_second": rate(*shops, *took),
            "bare_seconds": bare.as_secs_f64(),
            "bare_shops_per_second": rate(*shops, *bare),
            "ratio_to_bare": ratio(*bare, *took),
            "peak_memory_mb": memory,
            "processor_seconds": time.map(|time| time.as_secs_f64()),
        }));
    }
    say(format_args!("campaign   {} shops/s", HumanCount(rate(*shops, *took))));
    say(format_args!("bare       {} shops/s", HumanCount(rate(*shops, *bare))));
    say(format_args!("ratio      {:.2}", ratio(*bare, *took)));
    if let Some(memory) = memory {
        say(format_args!("memory     {memory} MB at most"));
    }
}

/// Returns a rate per second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is positive and far below 2^53"
)]
pub(crate) fn rate(shops: u32, took: Duration) -> u64 {
    (f64::from(shops) / took.as_secs_f64()) as u64
}

fn ratio(alone: Duration, campaign: Duration) -> f64 {
    alone.as_secs_f64() / campaign.as_secs_f64()
}

#[expect(clippy::print_stdout, reason = "the result of a program")]
pub(crate) fn say(line: impl Display) {
    println!("{line}");
}

/// Tells people what is going on.
#[expect(clippy::print_stderr, reason = "what the program says beside its result")]
pub(crate) fn note(line: impl Display) {
    eprintln!("{line}");
}
