//! The REST API: one module per resource, each with its types and its thin handlers.

pub mod candidate_rows;
pub mod candidates;
pub mod cards;
pub mod checkpoints;
pub mod common;
pub mod datasets;
pub mod events;
pub mod files;
pub mod health;
pub mod models;
pub mod names;
pub mod paging;
pub mod pipelines;
pub mod presets;
pub mod queue;
pub mod references;
pub mod search_check;
pub mod search_report;
pub mod searches;
pub mod strategies;
mod stream;
pub mod studies;
pub mod templates;
pub mod tuning_events;
pub mod tuning_races;
pub mod tunings;
pub mod uploads;

use utoipa::OpenApi;

use crate::problem::Problem;

/// Path under which the API lies; a change that breaks clients gets a new one.
pub const BASE: &str = "/api/v1";

/// What the document says about itself; the addresses are added by the router.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "EagleEye",
        description = "Structural pruning of convolutional classifiers as a service: upload a network and a dataset, \
            queue a search under a budget of MACs (multiply-accumulates), follow it, and download the winner.\n\n\
            Every error is `application/problem+json`; docs/problems.md lists the types. Fractions and accuracies are \
            0 to 1, sizes are bytes, MACs are those of one image. Lists are paged by key: pass `next_cursor` back as \
            `cursor`."
    ),
    servers((url = "/", description = "This server")),
    components(schemas(Problem)),
    tags(
        (name = "models", description = "Networks to be pruned, TorchScript or ONNX"),
        (name = "datasets", description = "Labelled images to calibrate and score with"),
        (name = "searches", description = "Pruning searches and their progress"),
        (name = "candidates", description = "Pruned networks that a search has evaluated"),
        (name = "pipelines", description = "Stages of pruning, each of which begins with what the one before it has made"),
        (name = "tunings", description = "Fine-tuning of candidates, one by one or several in a race"),
        (name = "studies", description = "Which evaluation predicts the accuracy after fine-tuning"),
        (name = "checkpoints", description = "Exported files of candidates, tuned or not"),
        (name = "queue", description = "Searches and fine-tunings that are running or waiting"),
        (name = "health", description = "Health of the server"),
    )
)]
pub struct Document;
