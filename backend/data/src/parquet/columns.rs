//! Which column holds the images, and which the labels.

use ::parquet::basic::{ConvertedType, LogicalType, Type};
use ::parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use crate::error::DataError;

/// Names of the column of labels, in the order in which they are looked for. `fine_label` is CIFAR-100's, beside a
/// `coarse_label`.
const LABELS: [&str; 4] = ["label", "labels", "fine_label", "cls"];
/// How many names of columns a message lists.
const LISTED: usize = 20;

/// The columns of a dataset, as places among the file's leaves.
#[derive(Debug)]
pub struct Columns {
    pub image: usize,
    pub image_name: String,
    pub label: Option<Label>,
}

/// The column of labels.
#[derive(Debug)]
pub struct Label {
    pub leaf: usize,
    pub name: String,
    /// Whether its values have 64 bits, and not 32.
    pub is_wide: bool,
}

impl Columns {
    /// Takes `image`, or the only column of that shape, and `label`, `labels`, `fine_label`, `cls` or the only column of integers.
    /// Without a column of integers, images have no labels.
    pub fn find(schema: &SchemaDescriptor) -> Result<Self, DataError> {
        let (image, image_name) = image(schema)?;
        Ok(Self { image, image_name, label: label(schema)? })
    }
}

fn image(schema: &SchemaDescriptor) -> Result<(usize, String), DataError> {
    let leaves = schema.columns().iter().enumerate();
    let images: Vec<(usize, &str)> = leaves.filter_map(|(leaf, column)| Some((leaf, image_name(column)?))).collect();
    let named = images.iter().find(|(_, name)| *name == "image");
    match (named, images.as_slice()) {
        (Some(&(leaf, name)), _) | (None, &[(leaf, name)]) => Ok((leaf, name.to_owned())),
        (None, several) => {
            let candidates = several.iter().map(|(_, name)| (*name).to_owned());
            let all = schema.columns().iter().map(|column| column.path().string());
            let found = if several.is_empty() { all.take(LISTED).collect() } else { candidates.take(LISTED).collect() };
            Err(DataError::ParquetImages { found })
        }
    }
}

/// The name of a column that can hold images: binary values, or a struct with such a field `bytes`.
fn image_name(column: &ColumnDescriptor) -> Option<&str> {
    let is_binary = column.physical_type() == Type::BYTE_ARRAY && !is_list(column);
    let is_text = column.logical_type_ref().is_some() || column.converted_type() != ConvertedType::NONE;
    match column.path().parts() {
        [name] if is_binary && !is_text => Some(name),
        [name, field] if is_binary && !is_text && field == "bytes" => Some(name),
        _ => None,
    }
}

fn label(schema: &SchemaDescriptor) -> Result<Option<Label>, DataError> {
    let top = || schema.columns().iter().enumerate().filter(|(_, column)| column.path().parts().len() == 1);
    let integers: Vec<_> = top().filter(|(_, column)| is_integer(column)).collect();
    let named = LABELS.iter().find_map(|label| integers.iter().find(|(_, column)| column.name() == *label));
    let (leaf, column) = match (named, integers.as_slice()) {
        (Some(&(leaf, column)), _) | (None, &[(leaf, column)]) => (leaf, column),
        (None, []) => {
            let mistyped = top().find(|(_, column)| LABELS.contains(&column.name()));
            return mistyped.map_or(Ok(None), |(_, column)| Err(mistaken(column)));
        }
        (None, several) => {
            let found = several.iter().map(|(_, column)| column.name().to_owned()).take(LISTED).collect();
            return Err(DataError::ParquetLabels { found });
        }
    };
    let is_wide = column.physical_type() == Type::INT64;
    Ok(Some(Label { leaf, name: column.name().to_owned(), is_wide }))
}

/// Dates, times and decimals are stored as integers, too.
fn is_integer(column: &ColumnDescriptor) -> bool {
    use ConvertedType::{INT_8, INT_16, INT_32, INT_64, NONE, UINT_8, UINT_16, UINT_32, UINT_64};
    let is_number = matches!(column.logical_type_ref(), None | Some(LogicalType::Integer { .. }));
    let is_counted = [NONE, INT_8, INT_16, INT_32, INT_64, UINT_8, UINT_16, UINT_32, UINT_64];
    matches!(column.physical_type(), Type::INT32 | Type::INT64)
        && is_number
        && is_counted.contains(&column.converted_type())
        && !is_list(column)
}

fn is_list(column: &ColumnDescriptor) -> bool {
    column.max_rep_level() > 0
}

fn mistaken(column: &ColumnDescriptor) -> DataError {
    let found = format!("{} in column `{}`", column.physical_type(), column.name());
    DataError::ElementType { part: "labels", found, expected: "an integer" }
}
