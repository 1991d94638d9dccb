//! Checks a file before libtorch sees it: libtorch trusts what the archive states.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};

use super::error::TorchScriptError;

mod code;
mod directory;
mod pickle;
mod tokens;

/// Entries of an archive; a network has a few for each tensor and module.
const MAX_ENTRIES: usize = 200_000;
/// Bytes of all code and pickles, unpacked.
const MAX_CODE: u64 = 128 << 20;
/// Bytes of an extra file that is read as metadata.
const MAX_METADATA: u64 = 1 << 20;
/// Classes and functions; a network has a few for each module.
const MAX_DEFINITIONS: usize = 20_000;

/// What a TorchScript file says before libtorch loads it.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Names of the extra files.
    pub extra: Vec<String>,
    /// Shapes of the inputs that the network was traced with; empty where it does not say.
    pub traced_shapes: Vec<Vec<i64>>,
}

/// Checks sizes and code of a TorchScript file and returns what is in it.
pub(super) fn check(path: &Path) -> Result<Contents, TorchScriptError> {
    let open = |source| TorchScriptError::Open { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(open)?;
    let file_bytes = file.metadata().map_err(open)?.len();
    // PyTorch puts nothing before an archive; the search for where it might begin gives up on some sound files.
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let archive = ZipArchive::with_config(config, file.try_clone().map_err(open)?);
    let mut archive = archive.map_err(|error| TorchScriptError::NotTorchScript(error.to_string()))?;
    let stored = directory::names(&mut file, archive.central_directory_start(), MAX_ENTRIES);
    let stored = stored.map_err(|error| TorchScriptError::NotTorchScript(error.to_string()))?;
    if stored.len() != archive.len() || archive.has_duplicate_names() {
        return Err(TorchScriptError::NotTorchScript("it has two entries with the same name".into()));
    }
    let mut contents = Contents::default();
    let (mut sizes, mut storages) = (HashMap::new(), Vec::new());
    let mut definitions = code::Definitions::default();
    let (mut code_bytes, mut has_code, mut unpacked) = (0u64, false, 0u64);
    for (index, name) in stored.iter().enumerate() {
        let mut entry = archive.by_index(index).map_err(|e| TorchScriptError::NotTorchScript(e.to_string()))?;
        let name = String::from_utf8_lossy(name).into_owned();
        let bad = |reason: String| TorchScriptError::Archive { entry: name.clone(), reason };
        unpacked = unpacked.saturating_add(entry.size());
        // Tensors are stored as they are; only code is compressed.
        if unpacked > file_bytes.saturating_add(MAX_CODE) {
            return Err(bad(format!("unpacks to more data than the file's {file_bytes} bytes can hold")));
        }
        // libtorch takes names for the same that differ in upper and lower case.
        let lower = name.to_ascii_lowercase();
        let inner = lower.split_once('/').map_or(lower.as_str(), |(_, inner)| inner);
        let (is_code, is_pickle) = (inner.ends_with(".py"), inner.ends_with("pkl"));
        has_code |= is_code && inner.starts_with("code/");
        if is_code || is_pickle {
            code_bytes = code_bytes.saturating_add(entry.size());
            if code_bytes > MAX_CODE {
                return Err(bad(format!("brings the total size of the code above {MAX_CODE} bytes")));
            }
            let mut bytes = Vec::new();
            entry.by_ref().take(MAX_CODE).read_to_end(&mut bytes).map_err(|e| bad(format!("cannot be read: {e}")))?;
            if let Some(found) = quantised(&bytes) {
                return Err(TorchScriptError::Quantised { found: found.to_owned() });
            }
            if is_code {
                code::check(&bytes, &mut definitions).map_err(bad)?;
            } else {
                let found = pickle::check(&bytes).map_err(bad)?;
                let folder = lower.strip_suffix(".pkl").unwrap_or(&lower);
                let record = |key: &[u8]| format!("{folder}/{}", String::from_utf8_lossy(key).to_ascii_lowercase());
                // Of the inputs that a network was traced with PyTorch stores the sizes alone, and nothing else is read.
                if inner == "traced_inputs.pkl" {
                    contents.traced_shapes = pickle::shapes(&bytes).map_err(bad)?;
                } else {
                    storages.extend(found.iter().map(|storage| (record(storage.key), storage.bytes)));
                }
            }
            if definitions.count > MAX_DEFINITIONS {
                return Err(bad(format!("brings the number of classes and functions above {MAX_DEFINITIONS}")));
            }
        } else if let Some(key) = extra_file(&name)
            && entry.size() <= MAX_METADATA
        {
            contents.extra.push(key.to_owned());
        }
        if sizes.insert(lower, i128::from(entry.size())).is_some() {
            return Err(bad("occurs twice, differing only in case".into()));
        }
    }
    check_storages(&storages, &sizes)?;
    if !has_code {
        return Err(TorchScriptError::NotTorchScript(
            "the archive contains no code; save the model with torch.jit.trace or torch.jit.script, not with torch.save"
                .into(),
        ));
    }
    Ok(contents)
}

/// What code and pickles of quantised networks have in them. Looked for before anything else is checked: such files also run
/// code while they are loaded, which would be refused for a reason that helps nobody.
const QUANTISED: [&str; 5] = [
    "ops.quantized.",
    "torch.classes.quantized",
    "_rebuild_qtensor",
    "torch.quantize_per_",
    "torch.fused_moving_avg_obs_fake_quant",
];

fn quantised(bytes: &[u8]) -> Option<&'static str> {
    // Few bytes are the marker's first, so that a large file is not compared with each marker at each place.
    let starts = (0..bytes.len()).filter(|&at| matches!(bytes[at], b'o' | b't' | b'_'));
    let mut found = starts.filter_map(|at| QUANTISED.iter().find(|marker| bytes[at..].starts_with(marker.as_bytes())));
    found.next().map(|marker| marker.trim_matches(['.', '_']))
}

/// libtorch does not compare the bytes that a pickle says with those that are there.
fn check_storages(storages: &[(String, i128)], sizes: &HashMap<String, i128>) -> Result<(), TorchScriptError> {
    for (entry, wanted) in storages {
        let bad = |reason: String| TorchScriptError::Archive { entry: entry.clone(), reason };
        match sizes.get(entry) {
            // libtorch says which record is missing, unless it needs none.
            None => {}
            Some(size) if (0..=*size).contains(wanted) => {}
            Some(size) => return Err(bad(format!("has {size} bytes, but its tensors need {wanted}"))),
        }
    }
    Ok(())
}

/// The key of an extra file, which is what its name says behind `extra/`.
fn extra_file(name: &str) -> Option<&str> {
    let (_, inner) = name.split_once('/')?;
    inner.strip_prefix("extra/").filter(|key| !key.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantised_networks_are_known_by_their_code() {
        for code in ["_0 = ops.quantized.linear_dynamic(x, p)", "y = torch.quantize_per_tensor(x, 0.1, 0, 12)"] {
            assert!(quantised(code.as_bytes()).is_some(), "{code}");
        }
        assert_eq!(quantised(b"ctorch._utils\n_rebuild_qtensor\n"), Some("rebuild_qtensor"));
        for code in ["y = torch.conv2d(x, w)", "ops.prim.NumToTensor(n)", "torch", "ops.quant"] {
            assert_eq!(quantised(code.as_bytes()), None, "{code}");
        }
    }
}
