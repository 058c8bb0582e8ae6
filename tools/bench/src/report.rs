//! Prints what was measured.

use std::fmt::Display;
use std::time::Duration;

use indicatif::HumanCount;
use serde_json::{Value, json};

use crate::calls::Latencies;
use crate::campaign::Campaign;
use crate::usage::Usage;
use crate::{Workload, embedded, kafka};

/// Prints a campaign in one process.
pub(crate) fn embedded(shops: u32, measured: &embedded::Measured, as_json: bool) {
    let embedded::Measured { campaign: Campaign { took, memory, time }, bare } = measured;
    if as_json {
        return say(json!({
            "shops": shops,
            "seconds": took.as_secs_f64(),
            "shops_per_second": rate(shops, *took),
            "bare_seconds": bare.as_secs_f64(),
            "bare_shops_per_second": rate(shops, *bare),
            "ratio_to_bare": ratio(*bare, *took),
            "peak_memory_bytes": memory,
            "processor_seconds": time.map(|time| time.as_secs_f64()),
        }));
    }
    say(format_args!("campaign   {} shops/s", HumanCount(rate(shops, *took))));
    say(format_args!("bare       {} shops/s", HumanCount(rate(shops, *bare))));
    say(format_args!("ratio      {:.2}", ratio(*bare, *took)));
    if let Some(memory) = memory {
        say(format_args!("memory     {} at most", megabytes(*memory)));
    }
}

/// Prints a campaign over Kafka, and the calls.
pub(crate) fn kafka(workload: &Workload, measured: &kafka::Measured, as_json: bool) {
    if as_json {
        return say(view(workload, measured));
    }
    let kafka::Measured { campaign, raw, bare, idle, busy, usage } = measured;
    let speed = |took: Duration| {
        format!("{} shops/s ({:.2} s)", HumanCount(rate(workload.shops, took)), took.as_secs_f64())
    };
    let beside =
        |alone: Duration| format!("{}, ratio {:.2}", speed(alone), ratio(alone, campaign.took));
    let latencies = |calls: &Latencies| {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|part| milliseconds(calls, part));
        format!("p50 {p50:.2} ms, p95 {p95:.2} ms, p99 {p99:.2} ms of {}", HumanCount(calls.len()))
    };
    let shops = HumanCount(workload.shops.into());
    say(format_args!("shops      {shops}, consumers {}", workload.consumers));
    say(format_args!("campaign   {}", speed(campaign.took)));
    say(format_args!("raw        {}", beside(*raw)));
    say(format_args!("bare       {}", beside(*bare)));
    say(format_args!("calls      {}", latencies(idle)));
    say(format_args!("meanwhile  {}", latencies(busy)));
    for Usage { name, memory, time } in usage {
        let memory = memory.map(|bytes| format!("{} at most", megabytes(bytes)));
        let time = time.map(|time| format!("{:.2} s of processor time", time.as_secs_f64()));
        let used: Vec<_> = memory.into_iter().chain(time).collect();
        say(format_args!("{name:<13}{}", used.join(", ")));
    }
}

fn view(workload: &Workload, measured: &kafka::Measured) -> Value {
    let kafka::Measured { campaign, raw, bare, idle, busy, usage } = measured;
    let speed = |took: Duration| {
        let rate = rate(workload.shops, took);
        json!({ "seconds": took.as_secs_f64(), "shops_per_second": rate })
    };
    let calls = |calls: &Latencies| {
        let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|part| milliseconds(calls, part));
        json!({ "calls": calls.len(), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99 })
    };
    let usage = usage.iter().map(|Usage { name, memory, time }| {
        let seconds = time.map(|time| time.as_secs_f64());
        json!({ "process": name, "peak_memory_bytes": memory, "processor_seconds": seconds })
    });
    json!({
        "shops": workload.shops,
        "consumers": workload.consumers,
        "campaign": speed(campaign.took),
        "raw_round_trip": speed(*raw),
        "bare_transactions": speed(*bare),
        "ratio_to_raw": ratio(*raw, campaign.took),
        "ratio_to_bare": ratio(*bare, campaign.took),
        "calls_idle": calls(idle),
        "calls_during_a_campaign": calls(busy),
        "processes": usage.collect::<Vec<_>>(),
    })
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}

fn milliseconds(calls: &Latencies, part: f64) -> f64 {
    Duration::from_micros(calls.value_at_quantile(part)).as_secs_f64() * 1_000.0
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
