//! Model cards: what is to be known of an exported network.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use eagleeye_spec::ModelCard;
use eagleeye_store::Store;
use eagleeye_strategy::adaptation_of;
use uuid::Uuid;

use crate::extract::Path;
use crate::problem::Problem;

/// Get a checkpoint's model card.
///
/// Where the network comes from, which strategy and images made it, every score with its interval, what was measured, and how to
/// get it again. An archive in the format `state_dict` has a card in it, too: that of the time when it was written.
#[utoipa::path(
    get, path = "/checkpoints/{id}/card", operation_id = "getCard", tag = "checkpoints",
    params(("id" = Uuid, Path, description = "Id of the checkpoint")),
    responses(
        (status = 200, description = "The card", body = ModelCard),
        (status = 404, description = "The checkpoint does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The search has not scored the full network yet", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn json(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Json<ModelCard>, Problem> {
    Ok(Json(card(&store, id).await?))
}

/// Get a checkpoint's model card as a document.
#[utoipa::path(
    get, path = "/checkpoints/{id}/card.md", operation_id = "getCardAsMarkdown", tag = "checkpoints",
    params(("id" = Uuid, Path, description = "Id of the checkpoint")),
    responses(
        (status = 200, description = "The card in Markdown", body = String, content_type = "text/markdown"),
        (status = 404, description = "The checkpoint does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The search has not scored the full network yet", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn markdown(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let text = card(&store, id).await?.to_markdown();
    Ok(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], text).into_response())
}

async fn card(store: &Store, checkpoint: Uuid) -> Result<ModelCard, Problem> {
    Ok(store.card_rows(checkpoint).await?.card(adaptation_of)?)
}
