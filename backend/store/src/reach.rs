//! Whether this process has had the database within reach.
//!
//! After an outage every job's heartbeat is old, also those of workers that are alive and about to report. A process that
//! was cut off itself therefore takes nobody for dead until the others have had as long to come back as a worker may be
//! silent. So does one that has just started, perhaps during an outage.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::clock::{Clock, millis};
use crate::error::StoreError;
use crate::store::Store;

#[derive(Debug)]
pub(crate) struct Reach {
    is_away: AtomicBool,
    /// When the database was reached again, in milliseconds of the store's clock.
    back_at_ms: AtomicI64,
}

impl Reach {
    /// For a process that has just reached the database: what was before that, it does not know.
    pub(crate) fn new(clock: &Clock) -> Self {
        Reach { is_away: AtomicBool::new(false), back_at_ms: AtomicI64::new(clock.now_ms()) }
    }

    /// Notes the outcome of a call.
    pub(crate) fn note<T>(&self, store: &Store, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        match &outcome {
            Ok(_) if self.is_away.swap(false, Ordering::Relaxed) => {
                self.back_at_ms.store(store.clock().now_ms(), Ordering::Relaxed);
            }
            Err(error) if error.is_transient() => self.is_away.store(true, Ordering::Relaxed),
            _ => {}
        }
        outcome
    }

    /// Whether the database has been within reach for less than the time after which a silent worker counts as dead, or
    /// is out of reach.
    pub(crate) fn is_fresh(&self, store: &Store) -> bool {
        let back_at_ms = self.back_at_ms.load(Ordering::Relaxed);
        let is_back = store.clock().now_ms().saturating_sub(back_at_ms) < millis(store.stale_after());
        self.is_away.load(Ordering::Relaxed) || is_back
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::StoreConfig;

    #[tokio::test]
    async fn who_was_cut_off_or_has_just_started_takes_nobody_for_dead_until_the_others_had_time_to_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = StoreConfig::in_folder(folder.path());
        config.clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        let clock = config.clock.clone();
        let store = Store::connect_with(config).await.unwrap();
        assert!(store.reach().is_fresh(&store), "it may have been started during an outage");
        clock.advance(Duration::from_secs(10));
        assert!(!store.reach().is_fresh(&store));

        let lost = Err::<(), _>(StoreError::NoAnswer { after: Duration::from_secs(5) });
        assert!(store.reach().note(&store, lost).is_err());
        clock.advance(Duration::from_secs(65));
        assert!(store.reach().is_fresh(&store), "still away");
        store.reach().note(&store, Ok(())).unwrap();
        clock.advance(Duration::from_secs(9));
        store.reach().note(&store, Ok(())).unwrap();
        assert!(store.reach().is_fresh(&store));
        clock.advance(Duration::from_secs(1));
        assert!(!store.reach().is_fresh(&store));
    }
}
