//! What models, datasets and searches are called, and giving them another name.

use eagleeye_spec::name::{NAME_RULE, name_in, new_name, new_name_or_none};
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::problem::{FieldError, Problem};

/// A new name.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Renaming {
    #[schema(schema_with = new_name)]
    pub name: String,
}

/// A new name of a search, or none.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRenaming {
    #[serde(deserialize_with = "given")]
    #[schema(required, schema_with = new_name_or_none)]
    pub name: Option<String>,
}

/// [`name_in`], with the refusal of a text that gives none.
pub fn checked_name(text: &str) -> Result<String, Problem> {
    let name = name_in(text).map(str::to_owned);
    name.ok_or_else(|| Problem::fields(vec![FieldError { field: "name".to_owned(), detail: NAME_RULE.to_owned() }]))
}

/// A field that may be null and must be there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}
