//! Where the store takes the time from.
//!
//! Leases are compared across processes, and with PostgreSQL across machines. There the database's clock counts: the
//! offset to it is measured once at connect, so that a machine whose clock runs ahead does not steal jobs.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};

/// A source of time in whole milliseconds; clones share it.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System { offset_ms: i64 },
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Clock(Source::System { offset_ms: 0 })
    }

    /// A clock that stands still until it is moved; for tests.
    pub fn manual(start: DateTime<Utc>) -> Self {
        Clock(Source::Manual(Arc::new(AtomicI64::new(start.timestamp_millis()))))
    }

    /// Moves a manual clock on. Without effect on the system clock.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(millis(by), Ordering::SeqCst);
        }
    }

    /// The same clock, corrected so that it now shows `now_ms`. A manual clock stays as it is.
    pub(crate) fn aligned_to(self, now_ms: i64) -> Self {
        match self.0 {
            Source::System { .. } => Clock(Source::System { offset_ms: now_ms - Utc::now().timestamp_millis() }),
            manual @ Source::Manual(_) => Clock(manual),
        }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> i64 {
        match &self.0 {
            Source::System { offset_ms } => Utc::now().timestamp_millis() + offset_ms,
            Source::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// The time, without the digits that a database might drop.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.now_ms()).unwrap_or_default()
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
