//! ONNX Runtime's library, in which pruned networks' latency is measured.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::project::{root, say};
use crate::wheels;

const ONNXRUNTIME: &str = "1.32.0";
/// `.cargo/config.toml` names it to what cargo starts.
const LIBRARY: &str = "libonnxruntime.so";

/// Makes `.onnxruntime/libonnxruntime.so`, unless it is there.
pub fn ensure() -> Result<()> {
    let wanted = format!("onnxruntime {ONNXRUNTIME}");
    let home = root().join(".onnxruntime");
    let stamp = home.join("stamp");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        say("setup", format!("{wanted} is in place"));
        return Ok(());
    }
    say("setup", format!("fetching {wanted} into {}", home.display()));
    let folder = tempfile::tempdir().context("cannot make a folder for the wheel")?;
    wheels::download(&[&format!("onnxruntime=={ONNXRUNTIME}")], false, folder.path())
        .with_context(|| format!("cannot fetch {wanted}; EAGLEEYE_ONNXRUNTIME may name its {LIBRARY}"))?;
    wheels::unpack(folder.path(), &home, destination)?;
    if !home.join(LIBRARY).is_file() {
        bail!("the wheel of onnxruntime {ONNXRUNTIME} holds no {LIBRARY}");
    }
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Of the wheel, the library alone is needed: without the version in its name, and without the bridges to other devices.
fn destination(inside: &Path) -> Option<PathBuf> {
    let name = inside.file_name()?.to_str()?;
    let is_library = name == LIBRARY || name.strip_prefix(LIBRARY).is_some_and(|rest| rest.starts_with('.'));
    is_library.then(|| LIBRARY.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_alone_is_taken_and_loses_its_version() {
        let place = |inside: &str| destination(Path::new(inside));
        assert_eq!(place("onnxruntime/capi/libonnxruntime.so.1.32.0"), Some("libonnxruntime.so".into()));
        assert_eq!(place("onnxruntime/capi/libonnxruntime.so"), Some("libonnxruntime.so".into()));
        assert_eq!(place("onnxruntime/capi/libonnxruntime_providers_shared.so"), None);
        assert_eq!(place("onnxruntime/__init__.py"), None);
    }
}
