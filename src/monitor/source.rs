//! The loop around a source: ask, publish what changed, wait, and back off while it fails.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use rand::Rng;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::snapshot::{REFRESH_AGE, Snapshot, SourceState, Sourced};
use crate::{
    cluster::{self, Clock},
    engine::Timestamp,
};

/// The longest pause between two tries of a source that fails.
const BACKOFF_CEILING: Duration = Duration::from_secs(30);

/// An answer that takes longer than this is slow; so many of them in a row are worth a word.
const SLOW: Duration = Duration::from_secs(1);
const SLOW_TIMES: usize = 3;
/// After how many looks at which nothing had changed the pauses get longer.
const CALM_LOOKS: u32 = 5;

/// How long they get.
const CALM_PAUSE: Duration = Duration::from_millis(2_500);

/// Something that can be asked for a part of the snapshot.
#[async_trait]
pub(super) trait Source: Send + 'static {
    /// That part.
    type Data: Send + Sync;

    /// Where it is in the snapshot.
    fn slot(snapshot: &mut Snapshot) -> &mut Sourced<Self::Data>;

    /// Asks. Nothing means that it is as in `current`.
    async fn look(&mut self, current: &Snapshot) -> cluster::Result<Option<Self::Data>>;
}

/// When a source is asked, and how long that may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// The pause after an answer while things change.
    pub(super) interval: Duration,
    /// How long one look may take.
    pub(super) timeout: Duration,
}

/// What all sources share.
#[derive(Clone)]
pub(super) struct Board {
    /// Where snapshots are published.
    pub(super) snapshots: Arc<watch::Sender<Arc<Snapshot>>>,
    /// The time of day.
    pub(super) clock: Arc<dyn Clock>,
    /// Ends the tasks.
    pub(super) cancel: CancellationToken,
    /// Told when a source has found a change: the others look more often again, too.
    pub(super) stirred: Arc<Notify>,
}

impl Board {
    fn publish(&self, change: impl FnOnce(&mut Snapshot) -> bool) {
        self.snapshots.send_if_modified(|current| {
            let mut next = (**current).clone();
            let changed = change(&mut next);
            if changed {
                *current = Arc::new(next);
            }
            changed
        });
    }
}

/// Asks a source again and again until cancelled. `wake` has it asked at once.
pub(super) async fn run<S: Source, W: Clone + Send + Sync>(
    mut source: S,
    timing: Timing,
    board: Board,
    mut wake: watch::Receiver<W>,
) {
    let mut failures = 0;
    let mut pace = Pace::default();
    let mut calm = 0;
    loop {
        let current = board.snapshots.borrow().clone();
        let asked = tokio::time::Instant::now();
        let answer = tokio::select! {
            () = board.cancel.cancelled() => return,
            answer = tokio::time::timeout(timing.timeout, source.look(&current)) => answer,
        };
        let now = board.clock.now();
        let error = match answer {
            Ok(Ok(data)) => {
                pace.took(asked.elapsed());
                let slow = pace.slow();
                calm = if data.is_some() { 0 } else { calm + 1 };
                if data.is_some() {
                    board.stirred.notify_waiters();
                }
                board.publish(|snapshot| accept(S::slot(snapshot), data, slow, now));
                None
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => {
                Some(format!("no answer within {}", humantime::format_duration(timing.timeout)))
            }
        };
        let pause = if let Some(error) = error {
            failures += 1;
            let pause = backoff(timing.interval, failures);
            board.publish(|snapshot| {
                let next_try = now + pause;
                S::slot(snapshot).state = SourceState::Stale { error: error.into(), next_try };
                true
            });
            pause
        } else {
            failures = 0;
            calm_pause(timing.interval, calm)
        };
        let mut sleep = std::pin::pin!(tokio::time::sleep(pause));
        let looked = tokio::time::Instant::now();
        loop {
            tokio::select! {
                () = board.cancel.cancelled() => return,
                () = &mut sleep => break,
                woken = wake.changed() => {
                    if woken.is_err() {
                        return;
                    }
                    calm = 0;
                    break;
                }
                () = board.stirred.notified(), if failures == 0 && calm > CALM_LOOKS => {
                    calm = 0;
                    sleep.as_mut().reset(looked + timing.interval);
                }
            }
        }
    }
}

/// How long the last answers took.
#[derive(Debug, Default)]
struct Pace(VecDeque<Duration>);

impl Pace {
    fn took(&mut self, time: Duration) {
        if self.0.len() >= SLOW_TIMES {
            self.0.pop_front();
        }
        self.0.push_back(time);
    }

    /// What the fastest of them took, in whole tenths of a second, if even that was slow.
    fn slow(&self) -> Option<Duration> {
        let fastest = *self.0.iter().min()?;
        let tenths = u64::try_from(fastest.as_millis() / 100).unwrap_or(u64::MAX);
        (self.0.len() == SLOW_TIMES && fastest >= SLOW)
            .then(|| Duration::from_millis(tenths.saturating_mul(100)))
    }
}

/// The pause after so many looks in a row at which nothing had changed.
fn calm_pause(interval: Duration, calm: u32) -> Duration {
    // A quarter longer each time; eight times are enough for any interval that is polled.
    let steps = calm.saturating_sub(CALM_LOOKS).min(8);
    let longer = interval.saturating_mul(5_u32.pow(steps)) / 4_u32.pow(steps);
    longer.min(CALM_PAUSE).max(interval)
}

/// Takes an answer over. Returns whether that is worth publishing.
fn accept<T>(
    slot: &mut Sourced<T>,
    data: Option<T>,
    slow: Option<Duration>,
    now: Timestamp,
) -> bool {
    let aged = slot.updated_at.is_none_or(|at| now.since(at) >= REFRESH_AGE);
    let as_before = slot.state == SourceState::Live && slot.slow == slow;
    let changed = data.is_some() || !as_before || aged;
    if let Some(data) = data {
        slot.data = Arc::new(data);
    }
    slot.state = SourceState::Live;
    slot.slow = slow;
    slot.updated_at = Some(now);
    changed
}

/// The pause after the given number of failures in a row: doubling, capped, and jittered by half,
/// so that dashboards that lost a service together don't all come back to it at once.
fn backoff(interval: Duration, failures: u32) -> Duration {
    let doubled = interval.saturating_mul(1 << failures.min(10)).min(BACKOFF_CEILING);
    doubled.mul_f64(rand::rng().random_range(0.5..=1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_is_what_is_slow_several_times_in_a_row() {
        let mut pace = Pace::default();
        for millis in [1_250, 3_000, 1_180] {
            assert_eq!(pace.slow(), None);
            pace.took(Duration::from_millis(millis));
        }
        assert_eq!(pace.slow(), Some(Duration::from_millis(1_100)));
        pace.took(Duration::from_millis(900));
        assert_eq!(pace.slow(), None);
    }

    #[test]
    fn pauses_get_longer_while_nothing_changes_up_to_a_limit() {
        let second = Duration::from_secs(1);
        assert_eq!(calm_pause(second, 0), second);
        assert_eq!(calm_pause(second, CALM_LOOKS), second);
        let pauses: Vec<_> = (CALM_LOOKS..60).map(|calm| calm_pause(second, calm)).collect();
        assert!(pauses.is_sorted() && pauses[1] > second);
        assert_eq!(pauses.last(), Some(&CALM_PAUSE));
        assert_eq!(calm_pause(second, u32::MAX), CALM_PAUSE);
        let slow = Duration::from_secs(10);
        assert_eq!(calm_pause(slow, 99), slow, "one that is slower anyway stays as it is");
    }

    #[test]
    fn backoff_grows_to_its_ceiling_and_never_beyond() {
        for failures in 1..40 {
            let pause = backoff(Duration::from_secs(1), failures);
            assert!(pause <= BACKOFF_CEILING, "{pause:?} after {failures}");
            assert!(pause >= Duration::from_secs(1), "{pause:?} after {failures}");
        }
        assert!(backoff(Duration::from_secs(1), 39) >= BACKOFF_CEILING / 2);
    }
}
