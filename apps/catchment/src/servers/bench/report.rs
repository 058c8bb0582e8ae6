//! Prints the results of a benchmark over Kafka.

use std::io;
use std::num::NonZeroU16;
use std::time::Duration;

use serde_json::{Value, json};

use super::usage::Usage;
use crate::number::{counted, grouped, rate};
use crate::output::{Output, facts, table};
use crate::servers::percentile::Sample;

/// The measurements of one run.
pub(super) struct Measured {
    pub(super) shops: u32,
    pub(super) consumers: NonZeroU16,
    /// A campaign over all shops, from the accepted command to the last stored outcome.
    pub(super) campaign: Duration,
    /// The same number of messages to Kafka and back, without a database.
    pub(super) raw: Duration,
    /// The database's bare transactions over all shops.
    pub(super) bare: Duration,
    /// Calls one after another, with no other work.
    pub(super) idle: Sample,
    /// Calls one after another, during a campaign over all shops.
    pub(super) busy: Sample,
    pub(super) usage: Vec<Usage>,
}

/// Prints the measurements.
///
/// # Errors
///
/// When the standard output cannot be written.
pub(super) fn tell(measured: &Measured, output: Output) -> io::Result<()> {
    if output.json {
        return output.value(&view(measured));
    }
    let Measured { shops, consumers, campaign, raw, bare, idle, busy, usage } = measured;
    let speed = |duration: &Duration| {
        let per_second = rate((*shops).into(), duration.as_secs_f64());
        format!("{} shops/s ({:.2} s)", grouped(per_second), duration.as_secs_f64())
    };
    let beside = |duration: &Duration| {
        format!("{}, ratio {:.2}", speed(duration), ratio(*duration, *campaign))
    };
    output.line(facts(&[
        (
            "shops",
            format!(
                "{}, {}",
                grouped((*shops).into()),
                counted(consumers.get().into(), "consumer")
            ),
        ),
        ("campaign", speed(campaign)),
        ("raw", beside(raw)),
        ("bare", beside(bare)),
        ("calls", latencies(idle)),
        ("meanwhile", latencies(busy)),
    ]))?;
    let mut rows = table(&["process", ">memory", ">processor time of the campaign"]);
    let shown = |text: Option<String>| text.unwrap_or_default();
    for Usage { name, memory, time } in usage {
        rows.add_row([
            name.clone(),
            shown(memory.map(|bytes| format!("{} MB", bytes / 1_000_000))),
            shown(time.map(|time| format!("{:.2} s", time.as_secs_f64()))),
        ]);
    }
    output.line(format_args!("\n{}", rows.trim_fmt()))
}

fn ratio(alone: Duration, campaign: Duration) -> f64 {
    alone.as_secs_f64() / campaign.as_secs_f64()
}

fn latencies(sample: &Sample) -> String {
    let at = |percent| sample.percentile(percent).unwrap_or_default().as_secs_f64() * 1_000.0;
    let (p50, p95, p99) = (at(50), at(95), at(99));
    format!("p50 {p50:.2} ms, p95 {p95:.2} ms, p99 {p99:.2} ms of {}", grouped(sample.len() as u64))
}

fn view(measured: &Measured) -> Value {
    let Measured { shops, consumers, campaign, raw, bare, idle, busy, usage } = measured;
    let speed = |duration: &Duration| {
        json!({
            "seconds": duration.as_secs_f64(),
            "shops_per_second": rate((*shops).into(), duration.as_secs_f64()),
        })
    };
    let calls = |sample: &Sample| {
        let at = |percent| sample.percentile(percent).map(|took| took.as_secs_f64() * 1_000.0);
        json!({ "calls": sample.len(), "p50_ms": at(50), "p95_ms": at(95), "p99_ms": at(99) })
    };
    let usage: Vec<_> = usage
        .iter()
        .map(|Usage { name, memory, time }| {
            let seconds = time.map(|time| time.as_secs_f64());
            json!({ "process": name, "peak_memory_bytes": memory, "processor_seconds": seconds })
        })
        .collect();
    json!({
        "shops": shops,
        "consumers": consumers,
        "campaign": speed(campaign),
        "raw_round_trip": speed(raw),
        "bare_transactions": speed(bare),
        "ratio_to_raw": ratio(*raw, *campaign),
        "ratio_to_bare": ratio(*bare, *campaign),
        "calls_idle": calls(idle),
        "calls_during_a_campaign": calls(busy),
        "processes": usage,
    })
}
