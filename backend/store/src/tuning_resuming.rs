//! A tuning on the user's wish: cancelled, or taken up again where it failed or was cancelled.

use sea_orm::{ActiveValue::Set, EntityTrait};
use uuid::Uuid;

use crate::entities::tuning;
use crate::error::{Kind, StoreError};
use crate::run;
use crate::settling;
use crate::tunings::{Tuning, Tunings, edit, is_paused};

impl Tunings<'_> {
    /// Cancels a tuning: at once when it is queued or its worker is silent, and by the worker's next heartbeat when it is
    /// running. One that was cancelled before is returned as it is; one that has ended otherwise is a
    /// [`StoreError::Conflict`]. Its snapshot stays, so that it can be taken up again. In a race it is out.
    pub async fn cancel(&self, id: Uuid) -> Result<Tuning, StoreError> {
        while !self.cancel_paused(id).await? {
            match run::cancel::<tuning::ActiveModel>(self.0, id).await {
                // It has come to the end of its rung since it was looked at.
                Err(StoreError::Conflict { .. }) if is_paused(&self.row(id).await?) => {}
                outcome => {
                    outcome?;
                    break;
                }
            }
        }
        self.get(id).await
    }

    /// Queues a tuning again that failed or was cancelled. It goes on from its last snapshot to its last epoch, if it was in a
    /// race outside of it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it is queued, running or has succeeded.
    pub async fn retry(&self, id: Uuid) -> Result<Tuning, StoreError> {
        let found = self.row(id).await?;
        if is_paused(&found) {
            let reason = "is in a race, and waits for its other candidates".to_owned();
            return Err(StoreError::Conflict { kind: Kind::Tuning, id, reason });
        }
        let transaction = self.0.begin().await?;
        run::retry::<tuning::ActiveModel>(&transaction, id).await?;
        let row = edit(&transaction, id, self.0.clock().now(), |tuning| {
            run::queue_again(tuning);
            (tuning.has_left_race, tuning.pause_at) = (Set(found.race_id.is_some()), Set(None));
        })
        .await?;
        transaction.commit().await?;
        row.try_into()
    }

    /// Cancels a tuning that waits for others of its race; false where it does not.
    async fn cancel_paused(&self, id: Uuid) -> Result<bool, StoreError> {
        let found = self.row(id).await?;
        let Some(race_id) = found.race_id.filter(|_| is_paused(&found)) else { return Ok(false) };
        let transaction = self.0.begin().await?;
        let ended = settling::cancel_paused(&transaction, race_id, id, self.0.clock().now()).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    async fn row(&self, id: Uuid) -> Result<tuning::Model, StoreError> {
        let row = tuning::Entity::find_by_id(id).one(self.0.database()).await?;
        row.ok_or_else(|| StoreError::not_found(Kind::Tuning, id))
    }
}
