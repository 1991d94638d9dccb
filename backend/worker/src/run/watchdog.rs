//! Ends a child that gives no answer. One that sleeps uses no time on processors, and would hold the engine's thread
//! for good.

use std::io;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Watches a child for as long as this lives. The child must not be waited for while an answer of it is awaited here:
/// the number of its process might be another's by then.
#[derive(Debug)]
pub struct Watchdog {
    watch: Arc<Watch>,
    patience: Duration,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Watch {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// When the answer must be there that is awaited now.
    deadline: Option<Instant>,
    has_ended_it: bool,
    is_over: bool,
}

impl Watchdog {
    /// Awaits the first answer of `child` from now on; each may take as long as `patience` says.
    pub fn over(child: &Child, patience: Duration) -> io::Result<Self> {
        let (watch, process) = (Arc::new(Watch::default()), Pid::from_child(child));
        watch.state().deadline = Some(Instant::now() + patience);
        let watched = Arc::clone(&watch);
        let thread = std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || watched.keep(process))?;
        Ok(Self { watch, patience, thread: Some(thread) })
    }

    /// Awaits an answer from now on.
    pub fn awaits_answer(&self) {
        self.change(|state| state.deadline = Some(Instant::now() + self.patience));
    }

    /// Awaits nothing. From when this returns, the child is not ended any more.
    pub fn rests(&self) {
        self.change(|state| state.deadline = None);
    }

    /// How long the child was waited for in vain, where it was ended for that.
    pub fn has_ended_it_after(&self) -> Option<Duration> {
        self.watch.state().has_ended_it.then_some(self.patience)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.watch.state());
        self.watch.changed.notify_all();
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.change(|state| state.is_over = true);
        if let Some(thread) = self.thread.take() {
            // It does nothing that could panic, and there is nothing left to do if it did.
            _ = thread.join();
        }
    }
}

impl Watch {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, process: Pid) {
        let mut state = self.state();
        while !state.is_over {
            let left = state.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => {
                    // Under the lock, so that nobody has waited for the child.
                    if let Err(error) = kill_process(process, Signal::KILL) {
                        tracing::error!(%error, "cannot terminate an unresponsive process");
                    }
                    (state.deadline, state.has_ended_it) = (None, true);
                    state
                }
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}
