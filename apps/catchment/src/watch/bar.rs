//! The progress of a campaign on stderr, where that is a terminal.

use std::fmt::Write;
use std::time::Duration;

use catchment_domain::Timestamp;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{Goal, Standing};
use crate::number::grouped;

const TEMPLATE: &str =
    "{bar:24} {human_pos} of {human_len} answered, {rate} shops/s, {eta} left{msg}";

/// A bar that goes away by itself. Without a terminal it draws nothing.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// A bar that was not drawn yet.
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.with_key("rate", rate).progress_chars("=> "));
        }
        Self(bar)
    }

    /// Whether anybody sees it.
    pub(crate) fn is_seen(&self) -> bool {
        !self.0.is_hidden()
    }

    /// Draws how a campaign stands; `in_flight` requests of this process have no answer.
    pub(crate) fn show(
        &self,
        standing: &Standing,
        goal: Goal,
        in_flight: Option<u32>,
        now: Timestamp,
    ) {
        let tally = standing.tally(goal);
        self.0.set_length(u64::from(tally.open + tally.answered()));
        self.0.set_position(u64::from(tally.answered()));
        let mut message = String::new();
        if let Some(in_flight) = in_flight {
            let sent = tally.answered() + in_flight.min(tally.open);
            let _ = write!(message, ", {} sent", grouped(sent.into()));
        }
        for (status, count) in tally.iter() {
            let _ = write!(message, ", {} {status}", grouped(count.into()));
        }
        if 0 < standing.overdue(now) {
            let _ = write!(message, ", {} overdue", grouped(standing.overdue(now).into()));
        }
        self.0.set_message(message);
    }

    /// Says something above the bar, where there is one.
    pub(crate) fn say(&self, text: &str) {
        self.0.suspend(|| crate::output::note(text));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn rate(state: &ProgressState, target: &mut dyn Write) {
    // Rates below one show as 0, like a campaign that waits.
    let rate = Duration::try_from_secs_f64(state.per_sec()).unwrap_or_default().as_secs();
    let _ = target.write_str(&grouped(rate));
}
