//! The settings of the paper's experiments, from the table of templates.

use axum::Json;
use eagleeye_spec::TuneOptions;
use eagleeye_spec::templates::{self, Published, TEMPLATES};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The settings of an experiment of the paper on ImageNet, and what was published of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Template {
    #[schema(example = "resnet50_50")]
    pub name: &'static str,
    /// The network that it was published for. It may be used with any.
    pub network: &'static str,
    /// The fields of a search's request that it sets.
    #[schema(value_type = Object, example = json!({ "strategies": ["reference"], "macs": 0.5, "min_keep_ratio": 0.3 }))]
    pub search: Map<String, Value>,
    /// The published fine-tuning.
    pub tune: TuneOptions,
    pub published: Published,
}

impl From<&templates::Template> for Template {
    fn from(template: &templates::Template) -> Self {
        Self {
            name: template.name,
            network: template.network,
            search: template.search(),
            tune: template.tune(),
            published: template.published,
        }
    }
}

/// The settings of the paper's experiments.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Templates {
    pub items: Vec<Template>,
}

/// List the settings of the paper's experiments.
///
/// MobileNetV1 at 50% and ResNet-50 at 75, 50 and 25% of the multiply-adds on ImageNet, with the published ranges, fine-tunings and
/// results. A template's `search` is merged into a request for a search.
#[utoipa::path(
    get, path = "/templates", operation_id = "listTemplates", tag = "searches",
    responses((status = 200, description = "All templates", body = Templates))
)]
pub async fn list() -> Json<Templates> {
    Json(Templates { items: TEMPLATES.iter().map(Template::from).collect() })
}
