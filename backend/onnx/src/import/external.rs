//! Tensor data in a file beside the model. The file's name comes from the model, so from a stranger.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;

use crate::error::OnnxError;
use crate::proto::TensorProto;
use crate::proto::tensor_proto::DataLocation;

/// How often all of a file may be read over: tensors can share their data, but a small file must not become a large network.
const MAX_REUSE: u64 = 16;

/// Where a model's external data may lie.
#[derive(Debug, Default)]
pub(super) struct Folder {
    /// The model's own folder, by the name that it was opened under.
    named: PathBuf,
    /// Where the model itself lies, if that name is a link: caches of downloads keep all files of a repository in one
    /// folder, and link to them from folders that have their names.
    behind_link: Option<PathBuf>,
}

impl Folder {
    /// The folder of a model.
    pub fn of(model: &Path) -> Self {
        let named = model.parent().map(Path::to_path_buf).unwrap_or_default();
        let real = model.is_symlink().then(|| model.canonicalize().ok()).flatten();
        Folder { named, behind_link: real.and_then(|real| real.parent().map(Path::to_path_buf)) }
    }
}

impl From<PathBuf> for Folder {
    fn from(named: PathBuf) -> Self {
        Folder { named, behind_link: None }
    }
}

/// What a tensor says about its external data.
struct Reference<'a> {
    tensor: &'a str,
    location: &'a str,
    offset: u64,
    length: Option<u64>,
}

/// The bytes of a tensor with external data: `expected` of them, read by range.
///
/// # Errors
/// Names that leave `folder` (absolute, `..`, through a link), files that are missing, ranges outside of the file, and lengths
/// that do not fit the tensor's shape.
pub(super) fn read(tensor: &TensorProto, folder: &Folder, expected: usize) -> Result<Bytes, OnnxError> {
    let reference = reference(tensor)?;
    let wrong = |reason: String| OnnxError::External {
        name: reference.tensor.to_owned(),
        location: reference.location.to_owned(),
        reason,
    };
    let path = inside(folder, reference.location).map_err(wrong)?;
    let open = || -> std::io::Result<(File, u64)> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        Ok((file, size))
    };
    let (mut file, size) = open().map_err(|error| wrong(format!("cannot be opened: {error}")))?;
    let length = reference.length.unwrap_or_else(|| size.saturating_sub(reference.offset));
    if length != expected as u64 {
        return Err(wrong(format!("contains {length} bytes for it, but its shape needs {expected}")));
    }
    if reference.offset.checked_add(length).is_none_or(|end| end > size) {
        return Err(wrong(format!(
            "has {size} bytes, but {length} bytes are needed from byte {} on",
            reference.offset
        )));
    }
    let mut bytes = vec![0; expected];
    let mut fill = || -> std::io::Result<()> {
        file.seek(SeekFrom::Start(reference.offset))?;
        file.read_exact(&mut bytes)
    };
    fill().map_err(|error| wrong(format!("cannot be read: {error}")))?;
    Ok(bytes.into())
}

/// Refuses tensors that together are much larger than the files in which they are stored.
pub(super) fn check_sizes<'a>(
    tensors: impl Iterator<Item = &'a TensorProto>,
    folder: &Folder,
) -> Result<(), OnnxError> {
    let mut wanted: HashMap<&str, u64> = HashMap::new();
    for tensor in tensors.filter(|t| t.data_location() == DataLocation::External) {
        let reference = reference(tensor)?;
        let wrong = |reason: String| OnnxError::External {
            name: reference.tensor.to_owned(),
            location: reference.location.to_owned(),
            reason,
        };
        let path = inside(folder, reference.location).map_err(wrong)?;
        let size = std::fs::metadata(path).map_or(0, |m| m.len());
        let total = wanted.entry(reference.location).or_insert(0);
        *total = total.saturating_add(reference.length.unwrap_or(size.saturating_sub(reference.offset)));
        if *total > size.saturating_mul(MAX_REUSE) {
            return Err(wrong(format!("has {size} bytes, but {total} would be read from it")));
        }
    }
    Ok(())
}

fn reference(tensor: &TensorProto) -> Result<Reference<'_>, OnnxError> {
    let mut reference = Reference { tensor: tensor.name(), location: "", offset: 0, length: None };
    for entry in &tensor.external_data {
        let number = || {
            entry.value().parse::<u64>().map_err(|_| OnnxError::Tensor {
                name: tensor.name().to_owned(),
                reason: format!("has the external {} `{}`, which is not a number", entry.key(), entry.value()),
            })
        };
        match entry.key() {
            "location" => reference.location = entry.value(),
            "offset" => reference.offset = number()?,
            "length" => reference.length = Some(number()?),
            _ => {}
        }
    }
    Ok(reference)
}

/// The path of a file beside the model, all links followed: they must stay in the model's folder, or lead to where the model
/// lies that is a link itself. Anything else would let a stranger's archive read the files of whoever unpacked it.
fn inside(folder: &Folder, location: &str) -> Result<PathBuf, String> {
    let relative = Path::new(location);
    let plain = relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if location.is_empty() || !plain || location.contains('\\') {
        return Err("is not a plain name of a file next to the model".into());
    }
    let named = if folder.named.as_os_str().is_empty() { Path::new(".") } else { &folder.named };
    let missing = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "is missing: it is part of the model and must be given with it".to_owned(),
        _ => format!("cannot be opened: {error}"),
    };
    let root = named.canonicalize().map_err(missing)?;
    let path = root.join(relative).canonicalize().map_err(missing)?;
    let beside_linked = folder.behind_link.as_deref().is_some_and(|real| path.parent() == Some(real));
    if !path.starts_with(&root) && !beside_linked {
        return Err("is a link that points outside the model's folder".into());
    }
    if !path.is_file() {
        return Err("is not a file".into());
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::StringStringEntryProto;

    fn tensor(entries: &[(&str, &str)]) -> TensorProto {
        let entry = |(key, value): &(&str, &str)| StringStringEntryProto {
            key: Some((*key).into()),
            value: Some((*value).into()),
        };
        TensorProto {
            name: Some("w".into()),
            external_data: entries.iter().map(entry).collect(),
            ..TensorProto::default()
        }
    }

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("model.onnx.data"), [1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        folder
    }

    fn beside(folder: &Path) -> Folder {
        Folder::of(&folder.join("model.onnx"))
    }

    #[test]
    fn a_range_of_the_file_is_read() {
        let folder = folder();
        let whole = tensor(&[("location", "model.onnx.data")]);
        assert_eq!(read(&whole, &beside(folder.path()), 8).unwrap()[..], [1, 2, 3, 4, 5, 6, 7, 8]);
        let part = tensor(&[("location", "./model.onnx.data"), ("offset", "2"), ("length", "3"), ("checksum", "x")]);
        assert_eq!(read(&part, &beside(folder.path()), 3).unwrap()[..], [3, 4, 5]);
    }

    #[test]
    fn ranges_outside_of_the_file_are_refused() {
        let folder = folder();
        let read = |entries: &[(&str, &str)], expected| {
            let entries: Vec<_> = [("location", "model.onnx.data")].iter().chain(entries).copied().collect();
            super::read(&tensor(&entries), &beside(folder.path()), expected).unwrap_err().to_string()
        };
        assert!(read(&[("offset", "6"), ("length", "4")], 4).contains("has 8 bytes"));
        assert!(read(&[("offset", "18446744073709551615"), ("length", "4")], 4).contains("has 8 bytes"));
        assert!(read(&[("length", "4")], 8).contains("its shape needs 8"));
        assert!(read(&[("offset", "100")], 8).contains("contains 0 bytes"));
        assert!(read(&[("offset", "-1")], 8).contains("not a number"));
    }

    #[test]
    fn a_small_file_does_not_become_a_large_network() {
        let folder = folder();
        let part = tensor(&[("location", "model.onnx.data"), ("length", "8")]);
        let external = TensorProto { data_location: Some(DataLocation::External.into()), ..part };
        assert!(check_sizes(vec![&external; 16].into_iter(), &beside(folder.path())).is_ok());
        let error = check_sizes(vec![&external; 17].into_iter(), &beside(folder.path())).unwrap_err();
        assert!(error.to_string().contains("has 8 bytes, but 136 would be read from it"));
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        let folder = folder();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::os::unix::fs::symlink(folder.path().join("model.onnx.data"), inner.join("link")).unwrap();
        let reason =
            |location: &str| read(&tensor(&[("location", location)]), &beside(&inner), 8).unwrap_err().to_string();
        let absolute = folder.path().join("model.onnx.data").display().to_string();
        for location in ["../model.onnx.data", "a/../../model.onnx.data", &absolute, "", "..\\model.onnx.data"] {
            assert!(reason(location).contains("not a plain name"), "{location}");
        }
        assert!(reason("link").contains("points outside"));
        assert!(reason("absent").contains("is missing"));
        assert!(reason(".").contains("not a file"));
    }

    #[test]
    fn a_model_and_weights_that_are_links_into_one_folder_are_read_as_caches_of_downloads_keep_them() {
        let cache = folder();
        let (blobs, snapshot) = (cache.path().join("blobs"), cache.path().join("snapshot"));
        for folder in [&blobs, &snapshot] {
            std::fs::create_dir(folder).unwrap();
        }
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, snapshot.join(name)).unwrap();
        std::fs::write(blobs.join("1234"), "graph").unwrap();
        std::fs::write(blobs.join("5678"), [1; 8]).unwrap();
        link("../blobs/1234", "model.onnx");
        link("../blobs/5678", "model.onnx.data");
        link("../model.onnx.data", "outside");
        let read = |location: &str| read(&tensor(&[("location", location)]), &beside(&snapshot), 8);
        assert_eq!(read("model.onnx.data").unwrap()[..], [1; 8]);
        assert!(read("outside").unwrap_err().to_string().contains("points outside"));
        // Without the link of the model nothing says that the other folder is its own.
        std::fs::remove_file(snapshot.join("model.onnx")).unwrap();
        std::fs::write(snapshot.join("model.onnx"), "graph").unwrap();
        assert!(super::read(&tensor(&[("location", "model.onnx.data")]), &beside(&snapshot), 8).is_err());
    }
}
