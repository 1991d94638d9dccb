//! How one process sees what another has written: by revision, when an event says that there is something to see.
//!
//! Every change of a search or of its candidates counts the search's revision up, in the same transaction and under
//! the lock of the search's row, so no revision becomes visible after a higher one.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::candidates::{Candidate, read};
use crate::entities::candidate;
use crate::error::StoreError;
use crate::searches::{Search, Searches};

/// What has happened to a search since a revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changes {
    /// The changed search.
    pub search: Search,
    /// Candidates stored since, oldest first; [`AT_ONCE`] at most.
    pub candidates: Vec<Candidate>,
    /// Up to which revision this goes: what to ask with next time. Below that of the search where there are more candidates.
    pub revision: i64,
}

/// Candidates in one answer. A search that is opened again may have ten thousand, and the first of them are wanted soon.
pub const AT_ONCE: usize = 250;

impl Searches<'_> {
    /// The search and its first new candidates, or `None` when nothing has changed since `revision`. Start with 0 for all.
    pub async fn changes_since(&self, id: Uuid, revision: i64) -> Result<Option<Changes>, StoreError> {
        let search = self.get(id).await?;
        if search.revision <= revision {
            return Ok(None);
        }
        let mut rows = candidate::Entity::find()
            .filter(candidate::Column::SearchId.eq(id))
            .filter(candidate::Column::Revision.gt(revision))
            // One stored since `search` was read comes with the next call.
            .filter(candidate::Column::Revision.lte(search.revision))
            .order_by_asc(candidate::Column::Revision)
            .limit(AT_ONCE as u64 + 1)
            .all(self.0.database())
            .await?;
        let has_more = rows.len() > AT_ONCE;
        rows.truncate(AT_ONCE);
        let revision = rows.last().filter(|_| has_more).map_or(search.revision, |last| last.revision);
        let candidates = read(self.0.database(), rows).await?;
        Ok(Some(Changes { search, candidates, revision }))
    }
}
