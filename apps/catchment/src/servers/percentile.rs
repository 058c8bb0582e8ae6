//! Percentiles of measured durations.

use std::time::Duration;

/// Measured durations, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample(Vec<Duration>);

impl Sample {
    /// Returns the measured duration that `percent` per cent of all do not exceed (the nearest
    /// rank), or `None` if there are no durations.
    pub(crate) fn percentile(&self, percent: usize) -> Option<Duration> {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0.get(rank.saturating_sub(1)).copied()
    }

    /// Returns the number of durations.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<Vec<Duration>> for Sample {
    fn from(mut durations: Vec<Duration>) -> Self {
        durations.sort_unstable();
        Self(durations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_nearest_rank() {
        let sample = |millis: &[u64]| {
            Sample::from(millis.iter().copied().map(Duration::from_millis).collect::<Vec<_>>())
        };
        let hundred: Vec<u64> = (1..=100).rev().collect();
        for (millis, percent, expected) in [
            (&[][..], 50, None),
            (&[7], 0, Some(7)),
            (&[7], 50, Some(7)),
            (&[7], 99, Some(7)),
            (&[30, 10, 20], 50, Some(20)),
            (&[40, 30, 10, 20], 50, Some(20)),
            (&hundred, 50, Some(50)),
            (&hundred, 99, Some(99)),
            (&hundred, 100, Some(100)),
        ] {
            let found = sample(millis).percentile(percent);
            assert_eq!(found, expected.map(Duration::from_millis), "{percent} of {millis:?}");
        }
    }
}
