//! The queue: searches and fine-tunings that have not ended, in the order in which they will be done.

use axum::Json as Answer;
use axum::extract::State;
use chrono::{DateTime, Utc};
use eagleeye_store::{InLine, SEARCH_JOB, Stand, Store, TUNING_JOB};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::extract::{Json, Path};
use crate::problem::Problem;

/// The kinds of jobs that take long. Exports are done between their steps, and wait for nobody.
const KINDS: [&str; 2] = [SEARCH_JOB, TUNING_JOB];

/// Jobs that are shown at most.
const MOST: u64 = 200;

/// Jobs that have not ended.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Queue {
    /// Running ones first, then in the order in which they will be done, then those that are paused; the first 200.
    pub items: Vec<QueuedJob>,
}

/// A search or a fine-tuning that is running, waiting or paused.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct QueuedJob {
    /// Id of the job, by which it is moved. It is cancelled by its search or tuning.
    pub id: Uuid,
    pub kind: QueuedKind,
    /// The search itself, or that of the tuning's candidate.
    pub search_id: Uuid,
    /// Null for a search.
    #[schema(required)]
    pub tuning_id: Option<Uuid>,
    /// Its place among those that wait, from 1. Null while it is running or paused.
    #[schema(required)]
    pub position: Option<u32>,
    /// Whether somebody has paused it.
    pub is_paused: bool,
    pub created_at: DateTime<Utc>,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueuedKind {
    Search,
    Tuning,
}

/// Where a waiting job is to go.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueMove {
    /// Id of the job before which it is done. Null: it is done last.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    before: Option<Uuid>,
}

/// List the queue.
#[utoipa::path(
    get, path = "/queue", operation_id = "getQueue", tag = "queue",
    responses((status = 200, description = "The queue", body = Queue))
)]
pub async fn get(State(store): State<Store>) -> Result<Answer<Queue>, Problem> {
    Ok(Answer(queue(&store).await?))
}

/// Move a waiting job.
///
/// Jobs that come later are done after all that wait, but for the fine-tunings of studies, which let all others go first.
#[utoipa::path(
    post, path = "/queue/{id}/move", operation_id = "moveJob", tag = "queue",
    params(("id" = Uuid, Path, description = "Id of the job")),
    request_body = QueueMove,
    responses(
        (status = 200, description = "The queue as it is now", body = Queue),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "One of the jobs does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "One of the jobs is not waiting: it is running or paused, or has ended", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is invalid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn put(
    State(store): State<Store>,
    Path(id): Path<Uuid>,
    Json(request): Json<QueueMove>,
) -> Result<Answer<Queue>, Problem> {
    store.queue().put(&KINDS, id, request.before).await?;
    Ok(Answer(queue(&store).await?))
}

async fn queue(store: &Store) -> Result<Queue, Problem> {
    let line = store.queue().line(&KINDS, MOST).await?;
    let tunings: Vec<Uuid> = line.iter().filter(|job| job.kind == TUNING_JOB).map(|job| job.subject).collect();
    let searches = store.tunings().searches(&tunings).await?;
    let mut waiting = 0;
    let items = line.into_iter().filter_map(|job| {
        let (kind, search_id) = match job.kind.as_str() {
            SEARCH_JOB => (QueuedKind::Search, job.subject),
            // One that has been deleted since.
            _ => (QueuedKind::Tuning, *searches.get(&job.subject)?),
        };
        Some(placed(&job, kind, search_id, &mut waiting))
    });
    Ok(Queue { items: items.collect() })
}

fn placed(job: &InLine, kind: QueuedKind, search_id: Uuid, waiting: &mut u32) -> QueuedJob {
    let position = (job.stand == Stand::Waiting).then(|| {
        *waiting += 1;
        *waiting
    });
    let tuning_id = (kind == QueuedKind::Tuning).then_some(job.subject);
    QueuedJob {
        id: job.id,
        kind,
        search_id,
        tuning_id,
        position,
        is_paused: job.stand == Stand::Paused,
        created_at: job.created_at,
    }
}
