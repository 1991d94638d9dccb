//! The thread that computes, and how it is told to stop.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use eagleeye_engine::device::set_threads;
use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::oneshot;

use crate::STACK_BYTES;
use crate::run::error::JobError;

/// Tells the engine to stop; it looks before every operation.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Computes on a thread of its own with `threads` helpers. Dropping the future does not stop the thread.
pub async fn compute<T: Send + 'static>(
    threads: usize,
    work: impl FnOnce() -> Result<T, JobError> + Send + 'static,
) -> Result<T, JobError> {
    let (answer, answered) = oneshot::channel();
    let body = move || {
        // OpenMP keeps the number for each thread that starts a parallel loop.
        set_threads(threads);
        let outcome = catch_unwind(AssertUnwindSafe(work));
        // Where nobody waits any more, nobody wants the answer.
        _ = answer.send(outcome.unwrap_or_else(|panic| Err(JobError::Panicked(message(panic.as_ref())))));
    };
    thread::Builder::new().name("engine".to_owned()).stack_size(STACK_BYTES).spawn(body).map_err(JobError::Thread)?;
    answered.await.unwrap_or_else(|_| Err(JobError::Panicked("it ended without a result".to_owned())))
}

/// Ends the process at once, as a kill from outside would. The ordinary way out runs destructors of libtorch, which can
/// hang or crash while its threads compute.
pub fn end_process() -> ! {
    if let Err(error) = kill_process(getpid(), Signal::KILL) {
        tracing::error!(%error, "cannot kill this process");
    }
    std::process::abort()
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_of_the_engine_becomes_an_error_with_its_message() {
        let outcome: Result<(), _> = compute(1, || panic!("node {} is not there", 7)).await;
        let Err(JobError::Panicked(message)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(message, "node 7 is not there");
    }

    #[tokio::test]
    async fn the_engine_has_its_own_thread_and_answers() {
        let here = thread::current().id();
        let there = compute(1, || Ok(thread::current().id())).await.unwrap();
        assert_ne!(here, there);
    }
}
