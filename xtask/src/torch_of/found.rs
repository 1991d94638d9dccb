//! The torch that an interpreter has: what it says of itself, and whether everything to build against is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::version::release;
use crate::project::root;

/// Where torch says of itself which version it is, beside its headers.
const VERSION_HEADER: &str = "torch/headeronly/version.h";
/// One of each folder of headers that the build takes from.
const HEADERS: [&str; 3] = ["ATen/ATen.h", "torch/csrc/api/include/torch/torch.h", VERSION_HEADER];
const LIBRARIES: [&str; 3] = ["libtorch.so", "libtorch_cpu.so", "libc10.so"];
const CUDA_LIBRARIES: [&str; 2] = ["libtorch_cuda.so", "libc10_cuda.so"];

/// What an interpreter says of its torch. This is what `.libtorch` keeps of where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Torch {
    /// The interpreter, as it calls itself.
    pub python: PathBuf,
    /// As in `2.13.0+cu130`.
    pub version: String,
    /// The folder of the package.
    pub folder: PathBuf,
    /// The version of CUDA that it was built with, if it was.
    pub cuda: Option<String>,
    /// Whether its strings are those of today's compilers.
    cxx11_abi: bool,
}

impl Torch {
    /// Asks an interpreter, a path or a name on the search path.
    pub fn of(python: &Path) -> Result<Self> {
        let name = python.display();
        // Not in the repository's root: a path is relative to where the task was started.
        let output = Command::new(python)
            .arg(root().join("xtask/python/torch_of.py"))
            .output()
            .with_context(|| format!("cannot start {name}"))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            let last = errors.trim_end().lines().next_back().unwrap_or("it gives no reason");
            bail!("{name} cannot import torch: {last}");
        }
        Self::parse(&printed).with_context(|| format!("{name} does not answer as a Python interpreter does"))
    }

    /// The answer is the last line: what is imported may print, too.
    fn parse(printed: &str) -> Result<Self> {
        let last = printed.trim_end().lines().next_back().unwrap_or_default();
        serde_json::from_str(last).with_context(|| format!("this is not what was asked for: `{last}`"))
    }

    pub fn lib(&self) -> PathBuf {
        self.folder.join("lib")
    }

    pub fn include(&self) -> PathBuf {
        self.folder.join("include")
    }

    /// What it is in words, as in `torch 2.13.0+cu130 with CUDA 13.0`.
    pub fn describe(&self) -> String {
        let cuda = self.cuda.as_ref().map_or("without CUDA".to_owned(), |cuda| format!("with CUDA {cuda}"));
        format!("torch {} {cuda}", self.version)
    }

    /// Whether a program can be built against it: headers and libraries are there, and are of this version and ABI.
    pub fn check(&self) -> Result<()> {
        if !self.cxx11_abi {
            bail!(
                "torch {} was built with the C++ ABI from before C++11, and EagleEye is built with the present one; wheels of \
                 torch 2.6 and later have it",
                self.version
            );
        }
        for header in HEADERS {
            present(&self.include().join(header), "its headers are incomplete")?;
        }
        let cuda: &[&str] = if self.cuda.is_some() { &CUDA_LIBRARIES } else { &[] };
        for library in LIBRARIES.iter().chain(cuda) {
            present(&self.lib().join(library), "its libraries are incomplete")?;
        }
        let headers = self.version_of_headers()?;
        if headers != release(&self.version) {
            bail!(
                "torch says that it is {}, and its headers that they are of {headers}; installing it again mends that",
                self.version
            );
        }
        Ok(())
    }

    fn version_of_headers(&self) -> Result<String> {
        let path = self.include().join(VERSION_HEADER);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let number = |part: &str| {
            let begin = format!("#define TORCH_VERSION_{part} ");
            let found = text.lines().find_map(|line| line.strip_prefix(&begin));
            found.map(str::trim).with_context(|| format!("{} has no TORCH_VERSION_{part}", path.display()))
        };
        Ok(format!("{}.{}.{}", number("MAJOR")?, number("MINOR")?, number("PATCH")?))
    }

    /// Whether this version is still in the folder. No interpreter is started: importing torch takes seconds.
    pub fn is_there(&self) -> bool {
        // pip writes this file with each build of each version.
        let text = fs::read_to_string(self.folder.join("version.py")).unwrap_or_default();
        text.contains(&format!("'{}'", self.version)) && self.check().is_ok()
    }

    /// Libraries that torch's own need and the loader does not find.
    pub fn not_found(&self) -> Result<Vec<String>> {
        let mut ldd = Command::new("ldd");
        ldd.arg(self.lib().join("libtorch.so")).env_remove("LD_LIBRARY_PATH");
        let output = ldd.output().context("cannot start ldd, which says whether all libraries are found")?;
        Ok(missing(&String::from_utf8_lossy(&output.stdout)))
    }
}

fn present(file: &Path, otherwise: &str) -> Result<()> {
    if !file.is_file() {
        bail!("{} is missing, so {otherwise}; a wheel of torch has them", file.display());
    }
    Ok(())
}

/// The libraries that ldd did not find.
fn missing(listed: &str) -> Vec<String> {
    let lines = listed.lines().filter_map(|line| line.split_once(" => not found"));
    lines.map(|(name, _)| name.trim().to_owned()).collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A folder with the few files of a torch that are looked at.
    pub fn installed(folder: &Path, version: &str, cuda: Option<&str>) -> Torch {
        let torch = Torch {
            python: folder.join("python"),
            version: version.to_owned(),
            folder: folder.join("torch"),
            cuda: cuda.map(str::to_owned),
            cxx11_abi: true,
        };
        let numbers: Vec<_> = release(version).split('.').collect();
        let parts = ["MAJOR", "MINOR", "PATCH"].iter().zip(numbers);
        let header: String = parts.map(|(part, number)| format!("#define TORCH_VERSION_{part} {number}\n")).collect();
        for name in HEADERS {
            write(&torch.include().join(name), &header);
        }
        for name in LIBRARIES.iter().chain(&CUDA_LIBRARIES) {
            write(&torch.lib().join(name), "a library");
        }
        write(&torch.folder.join("version.py"), &format!("__version__ = '{version}'\n"));
        torch
    }

    pub fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn the_answer_is_the_last_line() {
        let answer = r#"{"python": "/p", "version": "2.13.0", "folder": "/t", "cuda": null, "cxx11_abi": true}"#;
        let torch = Torch::parse(&format!("a greeting of the site\n{answer}\n")).unwrap();
        assert_eq!((torch.describe().as_str(), torch.lib()), ("torch 2.13.0 without CUDA", "/t/lib".into()));
    }

    #[test]
    fn another_answer_is_quoted() {
        let message = Torch::parse("Usage: git\n").unwrap_err().to_string();
        assert_eq!(message, "this is not what was asked for: `Usage: git`");
        assert!(Torch::parse("").is_err());
    }

    #[test]
    fn a_whole_installation_can_be_built_against() {
        let folder = tempfile::tempdir().unwrap();
        let torch = installed(folder.path(), "2.13.0+cu130", Some("13.0"));
        torch.check().unwrap();
        assert!(torch.is_there());
    }

    #[test]
    fn a_missing_header_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let torch = installed(folder.path(), "2.13.0", None);
        fs::remove_file(torch.include().join("ATen/ATen.h")).unwrap();
        let message = torch.check().unwrap_err().to_string();
        assert!(message.contains("torch/include/ATen/ATen.h is missing, so its headers are incomplete"), "{message}");
    }

    #[test]
    fn cuda_libraries_are_needed_where_torch_was_built_with_cuda() {
        let folder = tempfile::tempdir().unwrap();
        let torch = installed(folder.path(), "2.13.0+cu130", Some("13.0"));
        fs::remove_file(torch.lib().join("libtorch_cuda.so")).unwrap();
        assert!(torch.check().unwrap_err().to_string().contains("libtorch_cuda.so is missing"));
        Torch { cuda: None, ..torch }.check().unwrap();
    }

    #[test]
    fn headers_of_another_version_and_an_old_abi_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let torch = installed(folder.path(), "2.13.0", None);
        let newer = Torch { version: "2.13.1".to_owned(), ..torch.clone() };
        assert!(newer.check().unwrap_err().to_string().contains("its headers that they are of 2.13.0"));
        let old = Torch { cxx11_abi: false, ..torch };
        assert!(old.check().unwrap_err().to_string().contains("C++ ABI from before C++11"));
    }

    #[test]
    fn another_build_of_the_same_release_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let torch = installed(folder.path(), "2.13.0+cpu", None);
        write(&torch.folder.join("version.py"), "__version__ = '2.13.0+cu130'\n");
        assert!(!torch.is_there());
    }

    #[test]
    fn ldd_says_what_is_not_found() {
        let listed = "\tlinux-vdso.so.1 (0x7f)\n\tlibcublas.so.13 => not found\n\tlibm.so.6 => /lib/libm.so.6 (0x7f)\n";
        assert_eq!(missing(listed), ["libcublas.so.13"]);
    }
}
