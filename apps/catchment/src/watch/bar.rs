//! The progress of a campaign on stderr, where that is a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use catchment_domain::{Campaign, Tally, Timestamp};
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::number::grouped;

/// All that is said is one message, so that it never contradicts itself and is cut where the
/// terminal ends.
const TEMPLATE: &str = "{bar:16} {wide_msg}";

/// A bar that goes away by itself. Without a terminal it draws nothing.
pub(crate) struct Bar {
    bar: ProgressBar,
    /// How many had an answer when it was drawn first: the rate is that of the others.
    first: Option<u64>,
}

impl Bar {
    /// A bar that was not drawn yet.
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar, first: None }
    }

    /// Whether anybody sees it.
    pub(crate) fn is_seen(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Draws how a campaign stands, whose outcomes were counted now or a moment ago; `in_flight`
    /// requests of this process have no answer.
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
        // What went wrong comes first: the end of the line may be cut.
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

    /// How fast it goes; nothing before the first answer, and while the campaign waits.
    fn pace(&self, answered: u64) -> Option<String> {
        self.first.filter(|first| *first < answered)?;
        let rate = Duration::try_from_secs_f64(self.bar.per_sec()).unwrap_or_default().as_secs();
        (0 < rate)
            .then(|| format!(", {}/s, {:#} left", grouped(rate), HumanDuration(self.bar.eta())))
    }

    /// Says something above the bar, where there is one.
    pub(crate) fn say(&self, text: &str) {
        self.bar.suspend(|| crate::output::note(text));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
