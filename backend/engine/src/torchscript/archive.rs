//! Checks a file before libtorch sees it: libtorch trusts what the archive states.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};

use super::error::TorchScriptError;

/// Entries of an archive; a network has a few for each tensor and module.
const MAX_ENTRIES: usize = 200_000;
/// Bytes of all code and pickles, unpacked.
const MAX_CODE: u64 = 128 << 20;
/// Bytes of an extra file that is read as metadata.
const MAX_METADATA: u64 = 1 << 20;
/// Brackets inside each other in one statement; TorchScript's parser calls itself for each.
const MAX_NESTING: usize = 200;
/// Bytes of one statement, which bounds how long a chain of operators in it can be.
const MAX_STATEMENT: usize = 1 << 20;

/// Checks sizes and code of a TorchScript file and returns the names of its extra files.
pub(super) fn check(path: &Path) -> Result<Vec<String>, TorchScriptError> {
    let open = |source| TorchScriptError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(open)?;
    let file_bytes = file.metadata().map_err(open)?.len();
    // PyTorch puts nothing before an archive; the search for where it might begin gives up on some sound files.
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let archive = ZipArchive::with_config(config, file);
    let mut archive = archive.map_err(|error| TorchScriptError::NotTorchScript(error.to_string()))?;
    if archive.len() > MAX_ENTRIES {
        return Err(TorchScriptError::NotTorchScript(format!("it has more than {MAX_ENTRIES} entries")));
    }
    let mut extra = Vec::new();
    let (mut code_bytes, mut has_code, mut unpacked) = (0u64, false, 0u64);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|e| TorchScriptError::NotTorchScript(e.to_string()))?;
        let name = entry.name().map(|name| name.to_string()).unwrap_or_default();
        let bad = |reason: String| TorchScriptError::Archive { entry: name.clone(), reason };
        unpacked = unpacked.saturating_add(entry.size());
        // Tensors are stored as they are; only code is compressed.
        if unpacked > file_bytes.saturating_add(MAX_CODE) {
            return Err(bad(format!("unpacks to more than the file's {file_bytes} bytes can hold")));
        }
        let inner = name.split_once('/').map_or(name.as_str(), |(_, inner)| inner);
        let is_code = inner.starts_with("code/") && inner.ends_with(".py");
        has_code |= is_code;
        if is_code || inner.ends_with(".pkl") {
            code_bytes = code_bytes.saturating_add(entry.size());
            if code_bytes > MAX_CODE {
                return Err(bad(format!("brings the code to more than {MAX_CODE} bytes")));
            }
        }
        if is_code {
            let mut text = Vec::new();
            entry.by_ref().take(MAX_CODE).read_to_end(&mut text).map_err(|e| bad(format!("cannot be read: {e}")))?;
            check_code(&text).map_err(bad)?;
        } else if let Some(key) = inner.strip_prefix("extra/")
            && entry.size() <= MAX_METADATA
            && !key.is_empty()
        {
            extra.push(key.to_owned());
        }
    }
    if !has_code {
        return Err(TorchScriptError::NotTorchScript(
            "the archive holds no code; save the model with torch.jit.trace or torch.jit.script, not with torch.save"
                .into(),
        ));
    }
    Ok(extra)
}

/// Refuses code that would overflow the parser's stack, and code that would run while the file is loaded.
fn check_code(text: &[u8]) -> Result<(), String> {
    let (mut depth, mut statement, mut quote) = (0usize, 0usize, None);
    let mut escaped = false;
    for &byte in text {
        statement += 1;
        if let Some(open) = quote {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b if b == open => quote = None,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' | b'\'' => quote = Some(byte),
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'\n' if depth == 0 => statement = 0,
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err(format!("nests brackets more than {MAX_NESTING} deep"));
        }
        if statement > MAX_STATEMENT {
            return Err(format!("has a statement of more than {MAX_STATEMENT} bytes"));
        }
    }
    let runs_at_load = text.windows(16).any(|w| w == b"def __setstate__");
    if runs_at_load {
        Err("runs code when it is loaded (`__setstate__`), as quantised modules do".into())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_would_overflow_the_parser_is_refused() {
        let nested = "(".repeat(5000);
        assert!(check_code(nested.as_bytes()).unwrap_err().contains("deep"));
        let long = format!("x = a{}", "+a".repeat(MAX_STATEMENT));
        assert!(check_code(long.as_bytes()).unwrap_err().contains("statement"));
        assert!(check_code(b"def __setstate__(self): pass").is_err());
    }

    #[test]
    fn brackets_in_strings_do_not_count() {
        let text = format!("x = \"{}\"\ny = (1, [2, 3])\n", "(".repeat(5000));
        assert_eq!(check_code(text.as_bytes()), Ok(()));
    }
}
