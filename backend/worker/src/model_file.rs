//! Model files on their way into the engine. An ONNX file whose weights are in files beside it comes as several files,
//! or as one zip of them; the engine wants them under their own names in one folder.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use eagleeye_sandbox::place;
use tempfile::TempDir;
use zip::ZipArchive;
use zip::result::ZipError;

/// Bytes that a zip may unpack to; ImageNet's largest classifiers have less than a tenth of it.
const MAX_UNPACKED_BYTES: u64 = 16 << 30;
/// An exporter may write one file for each tensor.
const MAX_ENTRIES: usize = 100_000;
const COPY_BYTES: usize = 1 << 18;

/// A model as one path that the engine can read. What was unpacked or linked for it goes when it is dropped.
#[derive(Debug)]
pub struct ModelFile {
    path: PathBuf,
    _folder: Option<TempDir>,
}

/// A stored file and the name that it was uploaded under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    pub name: String,
    pub path: PathBuf,
}

/// Why a model's files cannot be put in order.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    #[error("cannot open {}: {source}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("the zip is damaged: {0}")]
    Zip(ZipError),
    #[error("the zip contains {0} ONNX files; it must contain exactly one, with its weight files")]
    SeveralModels(usize),
    #[error("the zip has {found} entries; the limit is {MAX_ENTRIES}")]
    TooManyEntries { found: usize },
    #[error("entry `{0}` of the zip points outside it")]
    UnsafeName(String),
    #[error("entry `{0}` of the zip is a link; it may contain only regular files")]
    Link(String),
    #[error("entry `{entry}` of the zip cannot be unpacked: {reason}")]
    Entry { entry: String, reason: String },
    #[error("the zip unpacks to more than {limit} bytes, which is the limit")]
    UnpackedBytes { limit: u64 },
    #[error("`{0}` is not a plain file name")]
    Name(String),
    #[error("two files of the model are both named `{0}`")]
    SameName(String),
    #[error("cannot write a temporary file: {0}")]
    Temporary(io::Error),
}

impl ModelFileError {
    /// Whether the machine is at fault and not the files.
    pub fn is_internal(&self) -> bool {
        matches!(self, ModelFileError::Temporary(_))
    }
}

impl ModelFile {
    /// A file as somebody names it; a zip of an ONNX file is unpacked, anything else is taken as it is.
    pub fn open(path: &Path) -> Result<Self, ModelFileError> {
        Self::open_within(path, MAX_UNPACKED_BYTES)
    }

    /// Files from the store, which keeps them under other names. The first is the model itself; it is not looked into.
    pub fn gather(files: &[NamedFile]) -> Result<Self, ModelFileError> {
        let folder = temporary_folder()?;
        let put = if files.len() == 1 { link } else { duplicate };
        for file in files {
            let is_plain = Path::new(&file.name).file_name().is_some_and(|name| name == file.name.as_str());
            if !is_plain {
                return Err(ModelFileError::Name(file.name.clone()));
            }
            put(&file.path, &folder.path().join(&file.name)).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => ModelFileError::SameName(file.name.clone()),
                _ => ModelFileError::Temporary(error),
            })?;
        }
        let name = files.first().map_or("", |file| &file.name);
        Ok(Self { path: folder.path().join(name), _folder: Some(folder) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn open_within(path: &Path, limit: u64) -> Result<Self, ModelFileError> {
        let failed = |source| ModelFileError::Open { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        if !is_zip(&mut file).map_err(failed)? {
            return Ok(Self { path: path.to_owned(), _folder: None });
        }
        // TorchScript is a zip, too; whether it is a whole one is the importer's business.
        let Ok(mut archive) = ZipArchive::new(file) else {
            return Ok(Self { path: path.to_owned(), _folder: None });
        };
        let Some(model) = model_entry(&archive)? else {
            return Ok(Self { path: path.to_owned(), _folder: None });
        };
        let folder = temporary_folder()?;
        unpack(&mut archive, folder.path(), limit)?;
        Ok(Self { path: folder.path().join(model), _folder: Some(folder) })
    }
}

fn temporary_folder() -> Result<TempDir, ModelFileError> {
    tempfile::Builder::new().prefix("eagleeye-model-").tempdir().map_err(ModelFileError::Temporary)
}

fn link(file: &Path, name: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(file, name)
}

/// The importer refuses weights that lie in another folder than their model once symbolic links are followed.
fn duplicate(file: &Path, name: &Path) -> io::Result<()> {
    place(file, name, false)
}

fn is_zip(file: &mut File) -> io::Result<bool> {
    let mut head = Vec::new();
    file.take(4).read_to_end(&mut head)?;
    Ok(head == b"PK\x03\x04")
}

/// The one ONNX file of a zip, or `None` where it has none, as TorchScript.
fn model_entry(archive: &ZipArchive<File>) -> Result<Option<PathBuf>, ModelFileError> {
    let mut models = Vec::new();
    for name in archive.file_names() {
        let name = name.map_err(ModelFileError::Zip)?;
        if name.to_ascii_lowercase().ends_with(".onnx") && !is_litter(&name) {
            models.push(safe_path(&name)?);
        }
    }
    match models.len() {
        0 | 1 => Ok(models.pop()),
        several => Err(ModelFileError::SeveralModels(several)),
    }
}

fn unpack(archive: &mut ZipArchive<File>, folder: &Path, limit: u64) -> Result<(), ModelFileError> {
    if archive.len() > MAX_ENTRIES {
        return Err(ModelFileError::TooManyEntries { found: archive.len() });
    }
    let mut left = limit;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(ModelFileError::Zip)?;
        let name = entry.name().map_err(ModelFileError::Zip)?.into_owned();
        let path = folder.join(safe_path(&name)?);
        if entry.is_symlink() {
            return Err(ModelFileError::Link(name));
        }
        if entry.is_dir() || is_litter(&name) {
            continue;
        }
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(ModelFileError::Temporary)?;
        let file = File::create_new(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => ModelFileError::SameName(name.clone()),
            _ => ModelFileError::Temporary(error),
        })?;
        left = copy(&mut entry, file, left, &name)?.ok_or(ModelFileError::UnpackedBytes { limit })?;
    }
    Ok(())
}

/// Copies an entry and returns what is left of the limit, or `None` when it does not suffice. What the zip says about
/// sizes is not believed: bytes are counted as they come.
fn copy(entry: &mut impl Read, mut file: File, mut left: u64, name: &str) -> Result<Option<u64>, ModelFileError> {
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        let count = match entry.read(&mut buffer) {
            Ok(0) => return Ok(Some(left)),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(ModelFileError::Entry { entry: name.to_owned(), reason: error.to_string() }),
        };
        match left.checked_sub(count as u64) {
            Some(rest) => left = rest,
            None => return Ok(None),
        }
        file.write_all(&buffer[..count]).map_err(ModelFileError::Temporary)?;
    }
}

/// The name as a path that stays inside.
fn safe_path(name: &str) -> Result<PathBuf, ModelFileError> {
    let refused = || ModelFileError::UnsafeName(name.to_owned());
    if name.starts_with('/') || name.contains(['\\', '\0']) {
        return Err(refused());
    }
    let mut path = PathBuf::new();
    for part in name.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            return Err(refused());
        }
        path.push(part);
    }
    Ok(path)
}

/// What file managers leave behind: `__MACOSX/._model.onnx`, `.DS_Store`.
fn is_litter(name: &str) -> bool {
    name.split('/').any(|part| part == "__MACOSX" || part == ".DS_Store" || part.starts_with("._"))
}

#[cfg(test)]
mod tests {
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn zip(entries: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = ZipWriter::new(file.reopen().unwrap());
        for (name, content) in entries {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap();
        file
    }

    fn refusal(entries: &[(&str, &[u8])]) -> ModelFileError {
        ModelFile::open_within(zip(entries).path(), 1000).unwrap_err()
    }

    #[test]
    fn a_zip_of_an_onnx_file_is_unpacked_with_its_weights_and_vanishes_again() {
        let zip =
            zip(&[("net/model.onnx", b"graph"), ("net/model.onnx.data", b"weights"), ("__MACOSX/._model.onnx", b"x")]);
        let model = ModelFile::open(zip.path()).unwrap();
        let path = model.path().to_owned();
        assert!(path.ends_with("net/model.onnx"), "{}", path.display());
        assert_eq!(std::fs::read(&path).unwrap(), b"graph");
        assert_eq!(std::fs::read(path.with_file_name("model.onnx.data")).unwrap(), b"weights");
        assert!(!path.ancestors().nth(2).unwrap().join("__MACOSX").exists());
        drop(model);
        assert!(!path.exists());
    }

    #[test]
    fn other_files_are_taken_where_they_are() {
        for file in [zip(&[("net/data.pkl", b"TorchScript")]), tempfile::NamedTempFile::new().unwrap()] {
            assert_eq!(ModelFile::open(file.path()).unwrap().path(), file.path());
        }
    }

    #[test]
    fn a_cut_zip_is_left_to_the_importer() {
        let whole = std::fs::read(zip(&[("model.onnx", &[7; 500])]).path()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &whole[..whole.len() / 2]).unwrap();
        assert_eq!(ModelFile::open(file.path()).unwrap().path(), file.path());
    }

    #[test]
    fn entries_that_lead_out_are_refused() {
        for name in ["../model.onnx", "/model.onnx", "a/../../model.onnx", "..\\model.onnx"] {
            assert!(matches!(refusal(&[(name, b"graph")]), ModelFileError::UnsafeName(n) if n == name), "{name}");
        }
        let weights = refusal(&[("model.onnx", b"graph"), ("../../etc/passwd", b"x")]);
        assert!(matches!(weights, ModelFileError::UnsafeName(_)), "{weights}");
    }

    #[test]
    fn two_models_are_one_too_many() {
        let error = refusal(&[("a.onnx", b"graph"), ("b.ONNX", b"graph")]);
        assert!(matches!(error, ModelFileError::SeveralModels(2)), "{error}");
    }

    #[test]
    fn bytes_are_counted_over_all_entries() {
        let half: &[u8] = &[0; 600];
        assert!(matches!(refusal(&[("model.onnx", half), ("w", half)]), ModelFileError::UnpackedBytes { limit: 1000 }));
        ModelFile::open_within(zip(&[("model.onnx", half), ("w", &half[..400])]).path(), 1000).unwrap();
    }

    #[test]
    fn links_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = ZipWriter::new(file.reopen().unwrap());
        writer.start_file("model.onnx", SimpleFileOptions::default()).unwrap();
        writer.add_symlink("model.onnx.data", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        writer.finish().unwrap();
        assert!(matches!(ModelFile::open(file.path()), Err(ModelFileError::Link(name)) if name == "model.onnx.data"));
    }

    #[test]
    fn stored_files_stand_together_under_their_own_names() {
        let (graph, weights) = (tempfile::NamedTempFile::new().unwrap(), tempfile::NamedTempFile::new().unwrap());
        std::fs::write(weights.path(), b"weights").unwrap();
        let named = |name: &str, path: &Path| NamedFile { name: name.to_owned(), path: path.to_owned() };
        let files = [named("m.onnx", graph.path()), named("m.onnx.data", weights.path())];
        let model = ModelFile::gather(&files).unwrap();
        let data = model.path().with_file_name("m.onnx.data");
        assert_eq!(std::fs::read(&data).unwrap(), b"weights");
        assert!(!data.is_symlink());
        drop(model);
        assert!(!data.exists() && weights.path().exists());

        let twice = [files[0].clone(), files[0].clone()];
        assert!(matches!(ModelFile::gather(&twice), Err(ModelFileError::SameName(_))));
        let outside = [named("../m.onnx", graph.path())];
        assert!(matches!(ModelFile::gather(&outside), Err(ModelFileError::Name(_))));
    }
}
