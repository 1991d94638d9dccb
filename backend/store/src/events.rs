//! The outbox: what has happened, one row for each change, written in the transaction of the change. What did not happen has
//! no event, and what did has one, whatever dies in between. [`crate::feed`] reads them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use uuid::Uuid;

use crate::clock::millis;
use crate::entities::event;
pub use crate::entities::event::EventKind;
use crate::error::StoreError;
use crate::store::Store;

/// Something that has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Grows; but with PostgreSQL one may become visible after a higher one.
    pub id: i64,
    pub kind: EventKind,
    /// The search, checkpoint, tuning or race that it happened to.
    pub subject: Uuid,
    pub at_ms: i64,
}

impl Store {
    /// Removes events that are older than `age`; how many there were.
    pub async fn forget_events(&self, age: Duration) -> Result<u64, StoreError> {
        let oldest = self.clock().now_ms().saturating_sub(millis(age));
        let old = event::Entity::delete_many().filter(event::Column::AtMs.lt(oldest));
        Ok(old.exec(self.database()).await?.rows_affected)
    }
}

/// Tells of a change, in its transaction.
pub(crate) async fn tell(
    transaction: &DatabaseTransaction,
    kind: EventKind,
    subject: Uuid,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let row = event::ActiveModel {
        kind: Set(kind),
        subject: Set(subject),
        at_ms: Set(at.timestamp_millis()),
        ..Default::default()
    };
    event::Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}

impl From<event::Model> for Event {
    fn from(row: event::Model) -> Self {
        Event { id: row.id, kind: row.kind, subject: row.subject, at_ms: row.at_ms }
    }
}
