//! What models, datasets and searches may be called.

use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// Longest name in characters.
pub const MAX_NAME: usize = 200;

/// What a name must be, in words.
pub const NAME_RULE: &str = "must have 1 to 200 characters, not only whitespace, and no control characters";

/// The same for the document: no control character anywhere, and one that is no blank. Blanks are listed, since `\s` is not the
/// same everywhere.
const NAME_PATTERN: &str = concat!(
    r"^[^\x00-\x1f\x7f-\x9f]*",
    r"[^\x00- \x7f-\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]",
    r"[^\x00-\x1f\x7f-\x9f]*$"
);

/// The name that a text gives: without the blanks around it, which do not count. Names go into lists and file names.
pub fn name_in(text: &str) -> Option<&str> {
    let name = text.trim();
    let fits = (1..=MAX_NAME).contains(&name.chars().count()) && !text.chars().any(char::is_control);
    fits.then_some(name)
}

/// The schema of a name that may be left out at first.
pub fn name() -> Object {
    name_schema("Name.", Type::String)
}

/// The schema of a name that may be left out or null at first.
pub fn name_or_none() -> Object {
    name_schema("Name.", SchemaType::from_iter([Type::String, Type::Null]))
}

/// The schema of another name.
pub fn new_name() -> Object {
    name_schema("The new name.", Type::String)
}

/// The schema of another name that may be null.
pub fn new_name_or_none() -> Object {
    let description = "The new name; null removes it.";
    name_schema(description, SchemaType::from_iter([Type::String, Type::Null]))
}

fn name_schema(description: &str, types: impl Into<SchemaType>) -> Object {
    ObjectBuilder::new()
        .schema_type(types)
        .description(Some(format!("{description} Surrounding whitespace is removed.")))
        .min_length(Some(1))
        .max_length(Some(MAX_NAME))
        .pattern(Some(NAME_PATTERN))
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_a_name_do_not_count() {
        let long = "n".repeat(MAX_NAME);
        assert_eq!(name_in(&format!("  {long} ")), Some(long.as_str()));
        assert_eq!(name_in("  a b "), Some("a b"));
        for text in ["", "  ", "a\tb", "a\n", "\u{85}", &format!("{long}n")] {
            assert_eq!(name_in(text), None, "{text:?}");
        }
    }
}
