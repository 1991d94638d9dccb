//! Ways to choose strategies, from the table of proposers.

use axum::Json;
use eagleeye_strategy::PROPOSERS;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// The component of the document that lists the names.
pub const NAMES: &str = "StrategyName";

/// A way to choose the strategies of a search.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Strategy {
    /// What a request calls it.
    #[schema(example = "sensitivity")]
    pub name: &'static str,
    /// What it does, in a sentence or two.
    pub summary: &'static str,
    /// The most candidates that it has to offer. Null: as many as are asked for.
    #[schema(required)]
    pub most: Option<u32>,
}

/// The ways to choose strategies.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Strategies {
    /// The default first.
    pub items: Vec<Strategy>,
}

/// List the ways to choose strategies.
#[utoipa::path(
    get, path = "/strategies", operation_id = "listStrategies", tag = "searches",
    responses((status = 200, description = "All that a search can ask for", body = Strategies))
)]
pub async fn list() -> Json<Strategies> {
    let each = PROPOSERS.iter().map(|p| Strategy { name: p.name, summary: p.summary, most: p.most });
    Json(Strategies { items: each.collect() })
}

/// The schema of a name: one of the table's, the first of which is the default.
pub fn names() -> Schema {
    let lines = PROPOSERS.iter().map(|proposer| format!("- `{}`: {}", proposer.name, proposer.summary));
    let names = PROPOSERS.iter().map(|proposer| proposer.name);
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(format!("How strategies are chosen:\n{}", lines.collect::<Vec<_>>().join("\n"))))
        .enum_values(Some(names.collect::<Vec<_>>()))
        .default(PROPOSERS.first().map(|proposer| proposer.name.into()))
        .into()
}
