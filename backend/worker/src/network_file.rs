//! The file that a command writes a network as.

use std::io;
use std::path::Path;

use eagleeye_engine::{Format, Network, Opset, export, export_onnx};
use tempfile::TempDir;

use crate::failure::Failure;

/// A format, and what it leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkFile {
    pub format: Format,
    /// Of ONNX files.
    opset: Opset,
}

impl NetworkFile {
    /// What a file's name and `--opset` ask for, of a file that can be written: what takes long is not to be lost in the end.
    pub fn by(path: &Path, opset: Option<Opset>) -> Result<Self, Failure> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        let format = ending.and_then(Format::parse).ok_or_else(|| Failure::OutputFormat(path.to_owned()))?;
        if opset.is_some() && format != Format::Onnx {
            return Err(no_onnx());
        }
        folder_beside(path)?;
        Ok(NetworkFile { format, opset: opset.unwrap_or_default() })
    }

    /// Writes a network, and reads it again; the largest difference between both networks' outputs.
    pub fn write(self, network: &Network, path: &Path) -> Result<f64, Failure> {
        beside(path, |written| match self.format {
            Format::Onnx => Ok(export_onnx(network, self.opset, written)?),
            format => Ok(export(network, format, written)?),
        })
    }
}

/// `--opset` for a file that is none of ONNX.
pub fn no_onnx() -> Failure {
    Failure::Arguments("--opset is for ONNX files; the name of `--out` must end in .onnx".to_owned())
}

/// `--opset`.
pub fn opset(text: &str) -> Result<Opset, String> {
    let version = text.parse().map_err(|_| "must be a whole number".to_owned())?;
    Opset::new(version).map_err(|error| error.to_string())
}

/// Writes and proves a file beside its place, and moves it there when it is good: what was there before stays until then.
pub fn beside(path: &Path, export: impl FnOnce(&Path) -> Result<f64, Failure>) -> Result<f64, Failure> {
    let name = path.file_name().ok_or_else(|| Failure::OutputFormat(path.to_owned()))?;
    let folder = folder_beside(path)?;
    let written = folder.path().join(name);
    let max_difference = export(&written)?;
    std::fs::rename(&written, path).map_err(|source| Failure::OutputFile { path: path.to_owned(), source })?;
    Ok(max_difference)
}

/// A folder for temporary files in the folder of a file.
pub fn folder_beside(path: &Path) -> Result<TempDir, Failure> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        return Err(Failure::NoOutputFolder { path: path.to_owned(), folder: parent.to_owned() });
    }
    // What tempfile says names the temporary folder, which nobody knows.
    let failed = |source: io::Error| Failure::OutputFile { path: path.to_owned(), source: source.kind().into() };
    tempfile::Builder::new().prefix(".eagleeye-").tempdir_in(parent).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_the_format() {
        let file = |name: &str| NetworkFile::by(Path::new(name), None);
        let format = |name: &str| file(name).unwrap().format;
        assert_eq!(format("src/pruned.pt"), Format::TorchScript);
        assert_eq!(format("pruned.v2.onnx"), Format::Onnx);
        assert_eq!(format("pruned.safetensors"), Format::Safetensors);
        for wrong in ["pruned", "pruned.bin", ".onnx", "onnx"] {
            assert!(matches!(file(wrong), Err(Failure::OutputFormat(_))), "{wrong}");
        }
        let told_before_the_work = file("nowhere/pruned.pt").unwrap_err();
        assert!(told_before_the_work.to_string().contains("there is no folder nowhere"), "{told_before_the_work}");
    }

    #[test]
    fn only_onnx_files_have_a_version_of_operators() {
        let file = |name: &str| NetworkFile::by(Path::new(name), Some(opset("13").unwrap()));
        assert_eq!(file("a.onnx").unwrap().opset, opset("13").unwrap());
        assert!(matches!(file("a.pt"), Err(Failure::Arguments(reason)) if reason.contains(".onnx")));
        assert!(opset("12").unwrap_err().contains("13"));
    }
}
