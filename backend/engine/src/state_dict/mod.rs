//! A pruned network for those who go on training it in their own code: its `state_dict`, and a Python file that gives the
//! modules of the original class the widths that are left.
//!
//! Whether widths are all that it takes is not guessed. The uploaded file is the original class's code, as far as it computes:
//! it is read once more, as symbolically as ever, with the archive's tensors in the places of its own and the groups that
//! `rebuild.py` sets, and must answer as the engine does. Code that has sizes of its own written into it does not fit together
//! then, and the error names where.

mod archive;
mod error;
mod read_again;
mod widths;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use eagleeye_graph::{ElementType, ParameterKind};
use safetensors::tensor::TensorView;
use serde::Serialize;
use tch::Device;

use self::archive::Entry;
use self::widths::{Narrowing, names};
use crate::export::{compare_with, data, dtype, with_metadata};
use crate::network::Network;

pub use error::StateDictError;
pub use read_again::load_narrowed;

/// Where the archive's files are in it.
const WEIGHTS: &str = "weights.safetensors";
const REBUILD: &str = "rebuild.py";
/// What `rebuild.py` is before it has a table.
const TEMPLATE: &str = include_str!("rebuild.py");
/// Metadata of the weights, with which the file is read again.
const GROUPS: &str = "eagleeye.groups";
/// What a batch norm has counted that a file says nothing of. It counts for averages without momentum alone.
const COUNTER: i64 = 0;

/// Another file of the archive.
#[derive(Clone, Debug)]
pub struct Document {
    pub name: &'static str,
    pub text: String,
}

/// Writes `pruned`, which is made of `full`, as an archive, and proves it: its entries are read again, and `read_again` must
/// read the uploaded file with the tensors of the weights file that it is given, as [`load_narrowed`] does, to a network
/// that answers as `pruned`. Returns the largest absolute difference.
///
/// # Errors
/// Networks that need more than other widths; see [`StateDictError`]. The file is then removed again, as after any error.
pub fn export_state_dict<E: From<StateDictError>>(
    full: &Network,
    pruned: &Network,
    documents: &[Document],
    path: &Path,
    read_again: impl FnOnce(&Path) -> Result<Network, E>,
) -> Result<f64, E> {
    let outcome = write(full, pruned, documents, path).map_err(E::from).and_then(|weights| {
        let read = read_again(weights.path())?;
        Ok(prove(pruned, &read)?)
    });
    if outcome.is_err() {
        // The error of the export matters more than that of tidying up after it.
        let _ = fs::remove_file(path);
    }
    outcome
}

/// Writes and reads the archive; returns its weights as a file.
fn write(
    full: &Network,
    pruned: &Network,
    documents: &[Document],
    path: &Path,
) -> Result<tempfile::NamedTempFile, StateDictError> {
    let narrowing = Narrowing::between(full, pruned)?;
    let weights = weights(pruned, &narrowing)?;
    let rebuild = rebuild(&narrowing)?;
    let mut entries = vec![
        Entry { name: REBUILD, bytes: rebuild.as_bytes(), compressed: true },
        Entry { name: WEIGHTS, bytes: &weights, compressed: false },
    ];
    entries.extend(documents.iter().map(|d| Entry { name: d.name, bytes: d.text.as_bytes(), compressed: true }));
    archive::write(path, &entries)?;
    archive::check(path, &entries)?;
    let file = tempfile::Builder::new().prefix("eagleeye-").suffix(".safetensors").tempfile();
    let failed = |source| StateDictError::Write { path: WEIGHTS.into(), source };
    let file = file.map_err(failed)?;
    fs::write(file.path(), &weights).map_err(failed)?;
    Ok(file)
}

/// The tensors of the `state_dict`: those of the code itself are none.
fn weights(pruned: &Network, narrowing: &Narrowing) -> Result<Vec<u8>, StateDictError> {
    let tensors = data(&pruned.to_device(Device::Cpu)?)?;
    let counter = COUNTER.to_le_bytes();
    let mut views = Vec::new();
    let stored = pruned.graph.parameters.iter().zip(&tensors);
    for (parameter, tensor) in stored.filter(|(parameter, _)| parameter.kind != ParameterKind::Constant) {
        for name in names(parameter) {
            views.push((name, TensorView::new(dtype(tensor.element), tensor.shape.clone(), &tensor.bytes)?));
        }
    }
    for name in &narrowing.counters {
        views.push((name, TensorView::new(dtype(ElementType::I64), Vec::new(), &counter)?));
    }
    let mut metadata = pruned.metadata.clone();
    metadata.insert(GROUPS.to_owned(), serde_json::to_string(&narrowing.groups)?);
    Ok(with_metadata(&safetensors::serialize(views, None)?, &metadata)?)
}

fn rebuild(narrowing: &Narrowing) -> Result<String, StateDictError> {
    let widths = table(&narrowing.widths)?;
    let shapes = table(&narrowing.shapes)?;
    Ok(TEMPLATE.replace("@WIDTHS@", &widths).replace("@SHAPES@", &shapes))
}

/// A dictionary of Python with an entry on each line. Whole numbers, text and lists of them are written as in JSON.
fn table<T: Serialize>(entries: &BTreeMap<String, T>) -> Result<String, StateDictError> {
    let mut lines = String::from("{\n");
    for (name, entry) in entries {
        let value = serde_json::to_value(entry)?;
        lines.push_str(&format!("    {}: {},\n", serde_json::to_string(name)?, spaced(&value)));
    }
    lines.push('}');
    Ok(lines)
}

/// A value in one line, with blanks behind commas and colons.
fn spaced(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", "))
        }
        serde_json::Value::Object(entries) => {
            let entries = entries.iter().map(|(name, value)| format!("\"{name}\": {}", spaced(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn prove(pruned: &Network, read: &Network) -> Result<f64, StateDictError> {
    Ok(compare_with(pruned, &read.to_device(Device::Cpu)?)?)
}
