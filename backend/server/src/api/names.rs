//! What models, datasets and searches are called, and giving them another name.

use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

use crate::problem::{FieldError, Problem};

/// Longest name in characters.
pub const MAX_NAME: usize = 200;

/// What a name must be, in words.
pub const NAME_RULE: &str = "must have 1 to 200 characters, none of them control";

/// A new name.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Renaming {
    /// What to call it from now on.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
}

/// A new name of a search, or none.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRenaming {
    /// What to call it from now on; null for a search without a name of its own.
    #[serde(deserialize_with = "given")]
    #[schema(required, min_length = 1, max_length = 200)]
    pub name: Option<String>,
}

/// Whether a text may be a name: it goes into lists and file names.
pub fn is_name(name: &str) -> bool {
    let length = name.chars().count();
    (1..=MAX_NAME).contains(&length) && !name.trim().is_empty() && !name.chars().any(char::is_control)
}

/// The name without blanks around it, once it is clear that it is one.
pub fn checked_name(name: &str) -> Result<String, Problem> {
    if is_name(name) {
        return Ok(name.trim().to_owned());
    }
    Err(Problem::fields(vec![FieldError { field: "name".to_owned(), detail: NAME_RULE.to_owned() }]))
}

/// A field that may be null and must be there.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}
