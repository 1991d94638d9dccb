//! Patience with a database that is locked, full or out of reach.

use std::time::Duration;

use eagleeye_store::{StoreError, answer_within};
use tokio::time::{Instant, sleep};

/// Pauses between attempts, doubled each time up to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often somebody who waits looks whether to give up.
const LOOK: Duration = Duration::from_millis(50);
/// A call that takes longer was lost on its way; a writer of SQLite may wait half a minute for another.
const ANSWER: Duration = Duration::from_secs(45);

/// Calls until it succeeds or fails for good, or until it is time to `give_up`, when the last error is returned.
pub async fn retry<T>(
    give_up: impl Fn() -> bool,
    mut call: impl AsyncFnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    retry_slow(give_up, async || once(&mut call).await).await
}

/// [`retry`] of something that may take any time, as an upload does.
pub async fn retry_slow<T>(
    give_up: impl Fn() -> bool,
    mut call: impl AsyncFnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut pause = SHORTEST_PAUSE;
    loop {
        match call().await {
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "waiting for the database");
                if is_over(&give_up, pause).await {
                    return Err(error);
                }
                pause = longer(pause);
            }
            outcome => return outcome,
        }
    }
}

/// Calls once; no answer in a long time is an error.
pub async fn once<T>(mut call: impl AsyncFnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    answer_within(ANSWER, call()).await
}

/// Gives up after a time.
pub fn within(patience: Duration) -> impl Fn() -> bool {
    let deadline = Instant::now() + patience;
    move || Instant::now() >= deadline
}

fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

/// Pauses; true as soon as it is time to give up.
async fn is_over(give_up: &impl Fn() -> bool, pause: Duration) -> bool {
    let end = Instant::now() + pause;
    while !give_up() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        sleep(left.min(LOOK)).await;
    }
    true
}

#[cfg(test)]
mod tests {
    use std::iter::successors;

    use eagleeye_store::{Kind, Store, StoreConfig};

    use super::*;

    #[tokio::test]
    async fn an_error_for_good_is_returned_at_once() {
        let mut calls = 0;
        let outcome: Result<(), _> = retry(
            || false,
            async || {
                calls += 1;
                Err(StoreError::NotFound { kind: Kind::Search, id: "1".to_owned() })
            },
        )
        .await;
        assert!(matches!(outcome, Err(StoreError::NotFound { .. })));
        assert_eq!(calls, 1);
    }

    #[tokio::test]
    async fn an_outage_is_waited_out() {
        let mut calls = 0;
        let outcome = retry(
            || false,
            async || {
                calls += 1;
                if calls < 5 { Err(out_of_reach().await) } else { Ok(calls) }
            },
        )
        .await;
        assert_eq!(outcome.unwrap(), 5);
    }

    #[test]
    fn attempts_come_ever_more_slowly_but_never_seldom() {
        let pauses: Vec<u128> = successors(Some(SHORTEST_PAUSE), |pause| Some(longer(*pause)))
            .map(|pause| pause.as_millis())
            .take(9)
            .collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
    }

    #[tokio::test]
    async fn who_waits_notices_at_once_that_it_is_time_to_give_up() {
        let started = Instant::now();
        // The pause under way would last until 1.5 s.
        let give_up = || started.elapsed() > Duration::from_millis(900);
        let outcome: Result<(), _> = retry(give_up, async || Err(out_of_reach().await)).await;
        assert!(outcome.unwrap_err().is_transient());
        assert!(started.elapsed() < Duration::from_millis(1400), "{:?}", started.elapsed());
    }

    /// What a store says whose database cannot be opened.
    async fn out_of_reach() -> StoreError {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::in_folder(folder.path());
        std::fs::create_dir(folder.path().join("eagleeye.db")).unwrap();
        Store::connect_with(config).await.unwrap_err()
    }
}
