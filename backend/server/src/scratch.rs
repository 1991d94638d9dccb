//! Where the programs that this server starts put what they unpack.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio::process::Command;

/// What tells programs where temporary files go.
const VARIABLE: &str = "TMPDIR";

/// A folder for temporary files in the data folder. Unpacked datasets may be as large as the disk allows, and the
/// system's own folder for such files often lies in memory.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    /// Absent where the system's folder is used.
    folder: Option<PathBuf>,
}

impl Scratch {
    /// Makes the folder, unless the environment names another one already.
    pub fn below(data: &Path) -> io::Result<Self> {
        if std::env::var_os(VARIABLE).is_some() {
            return Ok(Scratch { folder: None });
        }
        let folder = data.join("tmp");
        std::fs::create_dir_all(&folder)?;
        Ok(Scratch { folder: Some(folder.canonicalize()?) })
    }

    /// Has a program use it.
    pub fn give_to(&self, command: &mut Command) {
        if let Some(folder) = &self.folder {
            command.env(VARIABLE, folder);
        }
    }

    /// Removes what programs that were killed have left `age` ago. Returns how many things there were.
    pub fn sweep(&self, age: Duration) -> io::Result<usize> {
        let (Some(folder), Some(oldest)) = (&self.folder, SystemTime::now().checked_sub(age)) else { return Ok(0) };
        let mut swept = 0;
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            // What vanishes meanwhile was removed by the program that made it.
            let Ok(meta) = entry.metadata() else { continue };
            if meta.modified()? >= oldest {
                continue;
            }
            let removed = if meta.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
            swept += usize::from(removed.is_ok());
        }
        Ok(swept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_removed_and_what_is_new_stays() {
        let data = tempfile::tempdir().unwrap();
        let scratch = Scratch { folder: Some(data.path().to_owned()) };
        std::fs::create_dir(data.path().join("left behind")).unwrap();
        std::fs::write(data.path().join("left behind/model.onnx"), "weights").unwrap();
        assert_eq!(scratch.sweep(Duration::from_secs(60)).unwrap(), 0);
        assert_eq!(scratch.sweep(Duration::ZERO).unwrap(), 1);
        assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
    }
}
