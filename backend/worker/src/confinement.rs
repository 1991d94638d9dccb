//! Work on a stranger's file: within limits, on a large stack, and locked up where that was asked for.

use std::path::{Path, PathBuf};

use clap::Args;
use eagleeye_sandbox::{Access, enter, limit};

use crate::STACK_BYTES;
use crate::failure::Failure;

#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Drop access to everything except this command's files before reading them. For programs that start this one as
    /// `eagleeye_sandbox::confined` does.
    #[arg(long, hide = true)]
    sandbox: bool,
}

impl SandboxArgs {
    /// What the command may reach, where it is to be locked up.
    pub fn access(&self, reach: impl FnOnce() -> Access) -> Option<Access> {
        self.sandbox.then(reach)
    }
}

/// A model may have its weights in files beside it. Programs put its files, or links to them, into a folder of their
/// own.
pub fn model_access(model: &Path) -> Access {
    let folder = match model.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let inside = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let read = [model.to_owned(), folder.to_owned()].into_iter().chain(inside).collect();
    Access { read, write: Vec::new() }
}

/// A dataset is one file, or two, or a folder with all that is below it.
pub fn dataset_access(images: &Path, labels: Option<&PathBuf>) -> Access {
    Access { read: std::iter::once(images.to_owned()).chain(labels.cloned()).collect(), write: Vec::new() }
}

/// Does `work`, with nothing but `access` where that is given. To be called before any other thread starts.
pub fn limited<T: Send + 'static>(
    access: Option<Access>,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match access {
        None => limit()?,
        Some(access) => {
            let support = enter(&access)?;
            if !support.is_complete() {
                tracing::debug!("the sandbox has gaps on this machine: {support}");
            }
        }
    }
    let thread = std::thread::Builder::new().name("work".to_owned()).stack_size(STACK_BYTES).spawn(work);
    thread.map_err(Failure::Thread)?.join().unwrap_or(Err(Failure::Panicked))
}
