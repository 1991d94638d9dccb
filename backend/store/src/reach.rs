//! Whether this process has had the database within reach.
//!
//! After an outage every job's heartbeat is old, also those of workers that are alive and about to report. A process that
//! was cut off itself therefore takes nobody for dead until the others have had as long to come back as a worker may be
//! silent. So does one that has just started, perhaps during an outage.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, millis};
use crate::error::StoreError;

#[derive(Debug)]
pub(crate) struct Reach {
    is_away: AtomicBool,
    /// When the database was reached again, in milliseconds of the clock.
    back_at_ms: AtomicI64,
    clock: Clock,
    /// For how long a worker may be silent.
    stale_after: Duration,
}

impl Reach {
    /// For a process that has just reached the database: what was before that, it does not know.
    pub(crate) fn new(clock: Clock, stale_after: Duration) -> Self {
        let back_at_ms = AtomicI64::new(clock.now_ms());
        Reach { is_away: AtomicBool::new(false), back_at_ms, clock, stale_after }
    }

    /// Notes the outcome of a call.
    pub(crate) fn note<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        match &outcome {
            Ok(_) if self.is_away.swap(false, Ordering::Relaxed) => {
                self.back_at_ms.store(self.clock.now_ms(), Ordering::Relaxed);
            }
            Err(error) if error.is_transient() => self.is_away.store(true, Ordering::Relaxed),
            _ => {}
        }
        outcome
    }

    /// Whether the database has been within reach for less than the time after which a silent worker counts as dead, or
    /// is out of reach.
    pub(crate) fn is_fresh(&self) -> bool {
        let back_at_ms = self.back_at_ms.load(Ordering::Relaxed);
        let is_back = self.clock.now_ms().saturating_sub(back_at_ms) < millis(self.stale_after);
        self.is_away.load(Ordering::Relaxed) || is_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_cut_off_or_has_just_started_takes_nobody_for_dead_until_the_others_had_time_to_come_back() {
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        let reach = Reach::new(clock.clone(), Duration::from_secs(10));
        assert!(reach.is_fresh(), "it may have been started during an outage");
        clock.advance(Duration::from_secs(10));
        assert!(!reach.is_fresh());

        let lost = Err::<(), _>(StoreError::NoAnswer { after: Duration::from_secs(5) });
        assert!(reach.note(lost).is_err());
        clock.advance(Duration::from_secs(65));
        assert!(reach.is_fresh(), "still away");
        reach.note(Ok(())).unwrap();
        clock.advance(Duration::from_secs(9));
        reach.note(Ok(())).unwrap();
        assert!(reach.is_fresh());
        clock.advance(Duration::from_secs(1));
        assert!(!reach.is_fresh());
    }
}
