//! Shows the progress of a campaign on stderr, if that is a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use catchment_domain::{Campaign, Tally, Timestamp};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::number::grouped;

/// The template has only one message, so that its parts agree and the end of the terminal cuts it.
const TEMPLATE: &str = "{bar:16} {wide_msg}";

/// A progress bar that disappears by itself. Without a terminal it draws nothing.
pub(crate) struct Bar {
    bar: ProgressBar,
    /// How many shops had an answer when the bar was first drawn. The rate counts only later
    /// answers.
    first: Option<u64>,
}

impl Bar {
    /// Makes a bar that is not drawn yet.
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar, first: None }
    }

    /// Returns whether the bar is visible.
    pub(crate) fn is_seen(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Draws the state of a campaign, whose outcomes were counted a moment ago. `in_flight` requests
    /// of this process have no answer.
    pub(crate) fn show(
        &mut self,
        campaign: &Campaign,
        tally: Tally,
        in_flight: Option<u32>,
        now: Timestamp,
    ) {
        let all = tally.open + tally.answered();
        let open = campaign.state.open().min(all);
        let (answered, all) = (u64::from(all - open), u64::from(all));
        let mut message = format!("{} of {} answered", grouped(answered), grouped(all));
        // Failures come first, because the end of the line may be cut.
        for (status, count) in tally.iter() {
            if !status.took_effect() {
                let _ = write!(message, ", {} {status}", grouped(count.into()));
            }
        }
        if 0 < open && !campaign.state.is_ending_or_ended() && campaign.deadline.is_passed(now) {
            let _ = write!(message, ", {} overdue", grouped(open.into()));
        }
        if let Some(pace) = self.pace(answered) {
            message.push_str(&pace);
        }
        if let Some(in_flight) = in_flight {
            let sent = answered + u64::from(in_flight.min(open));
            let _ = write!(message, ", {} sent", grouped(sent));
        }
        self.bar.set_message(message);
        self.bar.update(|state| {
            state.set_len(all);
            state.set_pos(answered);
        });
        if self.first.is_none() {
            self.first = Some(answered);
            self.bar.reset_eta();
        }
    }

    /// Formats the rate. Returns `None` before the first answer, and while the campaign waits.
    fn pace(&self, answered: u64) -> Option<String> {
        self.first.filter(|first| *first < answered)?;
        let rate = Duration::try_from_secs_f64(self.bar.per_sec()).unwrap_or_default().as_secs();
        (0 < rate)
            .then(|| format!(", {}/s, {:#} left", grouped(rate), HumanDuration(self.bar.eta())))
    }

    /// Prints a message above the bar.
    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| crate::output::note(text));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
