//! Measuring.

use std::path::{Path, PathBuf};

use eagleeye_spec::{Latency, Runtime, Turns, in_turn};
use ort::environment::Environment;
use ort::session::builder::SessionBuilder;
use ort::session::{Session, SessionInputValue};
use ort::value::DynValue;

use crate::error::LatencyError;
use crate::guard::guarded;
use crate::images::images;
use crate::library::{find, load};

/// ONNX Runtime, loaded and started.
#[derive(Debug, Clone)]
pub struct OnnxRuntime {
    environment: Environment,
}

impl OnnxRuntime {
    /// Loads ONNX Runtime from where it is installed.
    ///
    /// # Errors
    /// [`LatencyError::Absent`] with what to do, and those of [`OnnxRuntime::open`].
    pub fn find() -> Result<Self, LatencyError> {
        Self::open(&find()?)
    }

    /// Loads ONNX Runtime from this file. A process can load one.
    ///
    /// # Errors
    /// [`LatencyError::Library`] where the file is no such library, or one that is too old.
    pub fn open(library: &Path) -> Result<Self, LatencyError> {
        Ok(Self { environment: load(library)? })
    }

    /// Measures ONNX files that take turns: the full network's first, then those of pruned ones. Returns one latency for
    /// each, the full network's own included.
    ///
    /// `input` is the shape of a batch, `[N, C, H, W]` for images; all networks are given the same one, in the type that
    /// each asks for. An operation uses up to `threads` threads, operations run one after the other, and a network's threads
    /// stop spinning when its run ends, so that they do not slow down the next one.
    ///
    /// # Errors
    /// The file that cannot be loaded or run, or [`LatencyError::Cancelled`], asked for between runs.
    pub fn measure(
        &self,
        files: &[PathBuf],
        input: &[usize],
        threads: u32,
        turns: &Turns,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Vec<Latency>, LatencyError> {
        let threads = threads.max(1);
        let measured = guarded(|| {
            let mut networks = Vec::new();
            for file in files {
                if cancelled() {
                    return Err(LatencyError::Cancelled);
                }
                networks.push(Network::load(&self.environment, file, input, threads)?);
            }
            in_turn(networks.len(), turns, cancelled, |index| networks[index].run())
        });
        let medians = measured.unwrap_or_else(|reason| Err(LatencyError::BrokeDown { reason }))?;
        let medians = medians.ok_or(LatencyError::Cancelled)?;
        let batch_size = input.first().map_or(1, |&images| u32::try_from(images).unwrap_or(u32::MAX));
        Ok(Latency::of_medians(&medians, Runtime::Onnxruntime, "cpu", threads, batch_size))
    }
}

/// A loaded file with a batch of images for it.
struct Network<'a> {
    path: &'a Path,
    session: Session,
    images: DynValue,
}

impl<'a> Network<'a> {
    fn load(environment: &Environment, path: &'a Path, input: &[usize], threads: u32) -> Result<Self, LatencyError> {
        let failed = |error: ort::Error| LatencyError::Network { path: path.to_owned(), reason: error.to_string() };
        let mut builder = options(environment, threads).map_err(failed)?;
        let session = builder.commit_from_file(path).map_err(failed)?;
        let [only] = session.inputs() else {
            return Err(LatencyError::Inputs { path: path.to_owned(), found: session.inputs().len() });
        };
        let made = only.dtype().tensor_type().and_then(|element| images(input, element));
        let not_images = || LatencyError::InputType {
            path: path.to_owned(),
            name: only.name().to_owned(),
            found: only.dtype().to_string(),
        };
        let images = made.ok_or_else(not_images)?.map_err(failed)?;
        Ok(Self { path, session, images })
    }

    /// Computes one batch.
    fn run(&mut self) -> Result<(), LatencyError> {
        let outputs = self.session.run([SessionInputValue::from(&self.images)]);
        let failed = |error: ort::Error| LatencyError::Run { path: self.path.to_owned(), reason: error.to_string() };
        outputs.map(drop).map_err(failed)
    }
}

fn options(environment: &Environment, threads: u32) -> ort::Result<SessionBuilder> {
    let builder = Session::builder(environment)?;
    let builder =
        builder.with_intra_threads(threads as usize)?.with_inter_threads(1)?.with_parallel_execution(false)?;
    Ok(builder.with_config_entry("session.force_spinning_stop", "1")?)
}
