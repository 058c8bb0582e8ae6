//! Two builds in turns, so that whatever else the machine does meets both alike.

use crate::campaign::Campaign;
use crate::interrupts::unless_interrupted;
use crate::programs::Programs;
use crate::report::{rate, say};
use crate::{Over, Workload, embedded, kafka};

/// Runs the same campaign with both builds, pair by pair, and prints how much faster the new build
/// is, and how much more processor time it takes.
///
/// # Errors
///
/// When a campaign fails.
pub(crate) async fn run(
    workload: &Workload,
    old: &Programs,
    new: &Programs,
    pairs: u32,
) -> anyhow::Result<()> {
    let (mut speeds, mut times) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        let (before, now) = measure(workload, old, new, pair % 2 == 0).await?;
        let speed = before.took.as_secs_f64() / now.took.as_secs_f64();
        let time = now.time.zip(before.time).map(|(now, before)| now.div_duration_f64(before));
        let [old, new] = [&before, &now].map(|campaign| rate(workload.shops, campaign.took));
        say(format_args!("old {old} shops/s, new {new} shops/s, ratio {speed:.3}"));
        speeds.push(speed);
        times.extend(time);
    }
    say(format_args!("speed, new to old: {}", mean_and_error(&speeds)));
    if !times.is_empty() {
        say(format_args!("processor time, new to old: {}", mean_and_error(&times)));
    }
    Ok(())
}

/// Measures a pair, the old build first or last.
async fn measure(
    workload: &Workload,
    old: &Programs,
    new: &Programs,
    is_old_first: bool,
) -> anyhow::Result<(Campaign, Campaign)> {
    if is_old_first {
        let before = campaign(old, workload).await?;
        return Ok((before, campaign(new, workload).await?));
    }
    let now = campaign(new, workload).await?;
    Ok((campaign(old, workload).await?, now))
}

async fn campaign(programs: &Programs, workload: &Workload) -> anyhow::Result<Campaign> {
    match workload.over {
        Over::Memory => {
            unless_interrupted(embedded::measure_campaign(programs, workload.shops)).await
        }
        Over::Kafka => kafka::measure_campaign(programs, workload).await,
    }
}

/// Returns the mean with its standard error: `1.003 ± 0.004`.
#[expect(clippy::cast_precision_loss, reason = "there are a few pairs")]
fn mean_and_error(ratios: &[f64]) -> String {
    let count = ratios.len() as f64;
    let mean = ratios.iter().sum::<f64>() / count;
    let squares: f64 = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum();
    if ratios.len() < 2 {
        return format!("{mean:.3}");
    }
    let error = (squares / (count - 1.0) / count).sqrt();
    format!("{mean:.3} ± {error:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_that_of_the_mean() {
        assert_eq!(mean_and_error(&[1.5]), "1.500");
        assert_eq!(mean_and_error(&[1.0, 1.0, 1.0]), "1.000 ± 0.000");
        // The deviation of one value is 0.1, and there are four.
        assert_eq!(mean_and_error(&[0.9, 1.0, 1.1, 1.0]), "1.000 ± 0.041");
    }
}
