//! Where ONNX Runtime's library lies, and loading it, which a process can do once.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;

use crate::error::LatencyError;
use crate::guard::guarded;
use crate::names::{LIBRARY, VARIABLE};

/// Where `cargo xtask setup` puts the library, at the root of the working tree.
const DEVELOPMENT: &str = ".onnxruntime";

/// The library's file: what the environment names, else what lies beside this program or in `../lib`, as libtorch does, else
/// what `cargo xtask setup` fetched for the working tree that this program was built in.
pub fn find() -> Result<PathBuf, LatencyError> {
    let program = std::env::current_exe().unwrap_or_default();
    find_for(std::env::var_os(VARIABLE).as_deref(), &program)
}

fn find_for(named: Option<&OsStr>, program: &Path) -> Result<PathBuf, LatencyError> {
    if let Some(named) = named.filter(|named| !named.is_empty()).map(Path::new) {
        let looked = || format!("{VARIABLE} names {}, which is no file", named.display());
        return if named.is_file() { Ok(named.to_owned()) } else { Err(LatencyError::Absent { looked: looked() }) };
    }
    let beside = program.parent().unwrap_or(Path::new("."));
    let trees = program.ancestors().filter(|folder| folder.ends_with("target")).filter_map(Path::parent);
    let folders = [beside.to_owned(), beside.join("../lib")];
    let folders = folders.into_iter().chain(trees.map(|tree| tree.join(DEVELOPMENT)));
    let looked = || format!("{VARIABLE} is not set, and {} has no `{LIBRARY}`", beside.display());
    folders.filter_map(|folder| library_in(&folder)).next().ok_or_else(|| LatencyError::Absent { looked: looked() })
}

/// The library of a folder: the one without a version in its name, else the newest.
fn library_in(folder: &Path) -> Option<PathBuf> {
    let plain = folder.join(LIBRARY);
    if plain.is_file() {
        return Some(plain);
    }
    let entries = std::fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    let libraries = entries.filter(|path| path.is_file()).filter_map(|path| Some((version(&path)?, path)));
    libraries.max().map(|(_, path)| path)
}

/// The numbers behind the library's name.
fn version(path: &Path) -> Option<Vec<u32>> {
    let version = path.file_name()?.to_str()?.strip_prefix(LIBRARY)?.strip_prefix('.')?;
    version.split('.').map(|number| number.parse().ok()).collect()
}

/// The library that this process has loaded, and what came of it.
struct Loaded {
    path: PathBuf,
    outcome: Result<Environment, String>,
}

/// `ort` keeps one library and one environment for as long as the process lives, even a library that turns out to be of no
/// use; so the first outcome is kept beside them. A file that is no library at all leaves no trace.
static LOADED: Mutex<Option<Loaded>> = Mutex::new(None);

/// Loads the library and starts ONNX Runtime, or returns what was started earlier.
pub fn load(path: &Path) -> Result<Environment, LatencyError> {
    let failed = |reason: String| LatencyError::Library { path: path.to_owned(), reason };
    // Absolute, since `ort` looks for relative paths elsewhere first; and a file, since opening a pipe would wait for ever.
    let file = path.canonicalize().map_err(|error| failed(error.to_string()))?;
    if !file.is_file() {
        return Err(failed("it is no file".to_owned()));
    }
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if loaded.is_none() {
        let builder = guarded(|| ort::init_from(&file)).map_err(&failed)?.map_err(|error| failed(error.to_string()))?;
        let build = || builder.with_name("eagleeye").with_telemetry(false).build().map_err(|error| error.to_string());
        *loaded = Some(Loaded { path: file.clone(), outcome: guarded(build).and_then(|built| built) });
    }
    match &*loaded {
        Some(Loaded { path: earlier, .. }) if *earlier != file => {
            Err(LatencyError::OtherLibrary { loaded: earlier.clone(), path: file })
        }
        Some(Loaded { outcome, .. }) => outcome.clone().map_err(failed),
        None => Err(failed("it was not loaded".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn the_environment_decides_and_is_not_gone_behind() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bin/worker");
        fs::create_dir(folder.path().join("bin")).unwrap();
        File::create(folder.path().join("bin").join(LIBRARY)).unwrap();
        let named = folder.path().join("mine.so");
        let error = find_for(Some(named.as_os_str()), &program).unwrap_err().to_string();
        assert!(error.contains("mine.so, which is no file") && error.contains("cargo xtask setup"), "{error}");
        File::create(&named).unwrap();
        assert_eq!(find_for(Some(named.as_os_str()), &program), Ok(named));
    }

    #[test]
    fn it_lies_beside_the_program_or_in_lib_or_in_the_working_tree() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path();
        for made in ["target/debug/deps", "target/lib", DEVELOPMENT] {
            fs::create_dir_all(tree.join(made)).unwrap();
        }
        let (program, test) = (tree.join("target/debug/worker"), tree.join("target/debug/deps/test"));
        let error = find_for(None, &program).unwrap_err();
        assert!(error.to_string().contains(&format!("{VARIABLE} is not set")), "{error}");

        File::create(tree.join(DEVELOPMENT).join(LIBRARY)).unwrap();
        let development = Ok(tree.join(DEVELOPMENT).join(LIBRARY));
        assert_eq!(find_for(None, &program), development);
        assert_eq!(find_for(Some(OsStr::new("")), &test), development);
        // An installed program is in no working tree.
        assert!(find_for(None, &tree.join("bin/worker")).is_err());

        for name in ["libonnxruntime.so.1.9.0", "libonnxruntime.so.1.32.0", "libonnxruntime_providers_shared.so"] {
            File::create(tree.join("target/lib").join(name)).unwrap();
        }
        let installed = find_for(None, &program).unwrap();
        assert!(installed.ends_with("lib/libonnxruntime.so.1.32.0"), "{}", installed.display());
        File::create(tree.join("target/debug").join(LIBRARY)).unwrap();
        assert_eq!(find_for(None, &program), Ok(tree.join("target/debug").join(LIBRARY)));
    }
}
