//! Patience with a database that is locked or out of reach for a moment.

use std::time::Duration;

use eagleeye_store::StoreError;
use tokio::time::Instant;

/// Pauses between attempts, doubled each time.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
/// How long to go on, well below the time after which the queue gives a silent worker's job away.
const PATIENCE: Duration = Duration::from_secs(6);

/// Calls until it succeeds or fails for good. An error of the moment is returned when it has gone on for too long.
pub async fn retry<T>(mut call: impl AsyncFnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let started = Instant::now();
    let mut pause = SHORTEST_PAUSE;
    loop {
        match call().await {
            Err(error) if error.is_transient() && started.elapsed() + pause < PATIENCE => {
                tracing::warn!(%error, "the database does not answer; trying again");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use eagleeye_store::{Kind, Store, StoreConfig};

    use super::*;

    #[tokio::test]
    async fn an_error_for_good_is_returned_at_once() {
        let mut calls = 0;
        let outcome: Result<(), _> = retry(async || {
            calls += 1;
            Err(StoreError::NotFound { kind: Kind::Search, id: "1".to_owned() })
        })
        .await;
        assert!(matches!(outcome, Err(StoreError::NotFound { .. })));
        assert_eq!(calls, 1);
    }

    #[tokio::test]
    async fn an_error_of_the_moment_is_tried_again() {
        let mut calls = 0;
        let outcome = retry(async || {
            calls += 1;
            if calls < 3 { Err(out_of_reach().await) } else { Ok(calls) }
        })
        .await;
        assert_eq!(outcome.unwrap(), 3);
    }

    /// What a store says whose database cannot be opened.
    async fn out_of_reach() -> StoreError {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::in_folder(folder.path());
        std::fs::create_dir(folder.path().join("eagleeye.db")).unwrap();
        Store::connect_with(config).await.unwrap_err()
    }
}
