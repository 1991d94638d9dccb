//! Limits on how long somebody waits for the database or the files.

use std::time::Duration;

use crate::error::StoreError;

/// What a call brings within the limit. One that takes longer is given up: the next may get through to a database that has
/// lost this one.
///
/// # Errors
/// [`StoreError::NoAnswer`] after the limit, and the call's own.
pub async fn answer_within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, call).await.unwrap_or(Err(StoreError::NoAnswer { after: limit }))
}
