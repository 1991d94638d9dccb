//! A tuning on the user's wish: paused, cancelled, or taken up again.

use sea_orm::{ActiveValue::Set, EntityTrait};
use uuid::Uuid;

use crate::entities::tuning;
use crate::error::{Kind, StoreError};
use crate::queue::JobState;
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

    /// Pauses a tuning: at once when it is queued or its worker is silent, and by the worker's next heartbeat when it is running.
    /// One that is paused is returned as it is. In a race, the others wait for it at the end of their rung.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it has ended, or waits for the others of its race.
    pub async fn pause(&self, id: Uuid) -> Result<Tuning, StoreError> {
        let waits = || waits_for_race(id, "there is nothing to pause until it goes on");
        if is_paused(&self.row(id).await?) {
            return Err(waits());
        }
        match run::pause::<tuning::ActiveModel>(self.0, id).await {
            // It has come to the end of its rung since it was looked at.
            Err(StoreError::Conflict { .. }) if is_paused(&self.row(id).await?) => return Err(waits()),
            outcome => outcome?,
        }
        self.get(id).await
    }

    /// Queues a tuning again that failed, was cancelled or is paused. It goes on from its last snapshot to its last epoch; if it was
    /// in a race, outside of it, unless it was only paused.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it is queued, running or has succeeded.
    pub async fn retry(&self, id: Uuid) -> Result<Tuning, StoreError> {
        let found = self.row(id).await?;
        if is_paused(&found) {
            return Err(waits_for_race(id, "it goes on when they have come as far"));
        }
        let transaction = self.0.begin().await?;
        let before = run::retry::<tuning::ActiveModel>(&transaction, id).await?;
        let row = edit(&transaction, id, self.0.clock().now(), |tuning| {
            run::queue_again(tuning);
            if before != JobState::Paused {
                (tuning.has_left_race, tuning.pause_at) = (Set(found.race_id.is_some()), Set(None));
            }
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

fn waits_for_race(id: Uuid, consequence: &str) -> StoreError {
    let reason = format!("is in a race, and waits for its other candidates; {consequence}");
    StoreError::Conflict { kind: Kind::Tuning, id, reason }
}
