//! Labels in the order of a network's classes.

use eagleeye_spec::ClassOrder;

use crate::error::DataError;

/// The labels of a dataset as outputs of a network with that order. `classes` are the dataset's names by label. Only classes that
/// some image has need be in the order.
///
/// # Errors
/// [`DataError::NotInOrder`] names the first class that is missing.
pub fn relabelled(labels: &[usize], classes: &[String], order: &ClassOrder) -> Result<Vec<usize>, DataError> {
    if order.is_sorted() {
        return Ok(labels.to_vec());
    }
    let outputs = order.outputs(classes.iter().map(String::as_str));
    let output = |&label: &usize| {
        let output = outputs.get(label).copied().flatten().map(|output| output as usize);
        let name = || classes.get(label).cloned().unwrap_or_else(|| label.to_string());
        output.ok_or_else(|| DataError::NotInOrder { class: name() })
    };
    labels.iter().map(output).collect()
}
