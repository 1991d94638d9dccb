//! When to stop: a signal asks for it, or the server that started this worker is gone.

use std::io::Read;

use rustix::fs::{FileType, fstat};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A request to stop that may come at any time; clones hear of the same one.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Watches for SIGTERM and SIGINT, and for the end of standard input. To be called inside a runtime.
    ///
    /// A server holds the other end of a pipe for as long as it lives. Where standard input is no pipe, as at a terminal or
    /// under a service manager, its end says nothing.
    pub fn watch() -> std::io::Result<Self> {
        let (request, stop) = watch::channel(false);
        for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
            let (request, mut signals) = (request.clone(), signal(kind)?);
            tokio::spawn(async move {
                signals.recv().await;
                request.send_replace(true);
            });
        }
        if is_pipe() {
            // A thread of its own: a read of standard input cannot be given up.
            let watch = std::thread::Builder::new().name("server-watch".to_owned());
            watch.spawn(move || {
                wait_for_end(std::io::stdin().lock());
                request.send_replace(true);
            })?;
        }
        Ok(Stop(stop))
    }

    /// One that is requested by sending `true`.
    #[cfg(test)]
    pub fn by_hand() -> (watch::Sender<bool>, Self) {
        let (request, stop) = watch::channel(false);
        (request, Stop(stop))
    }

    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when a stop is, or was, requested.
    pub async fn requested(&self) {
        let mut stop = self.0.clone();
        if stop.wait_for(|requested| *requested).await.is_err() {
            // Nobody is left to ask for it.
            std::future::pending::<()>().await;
        }
    }
}

fn is_pipe() -> bool {
    let stdin = fstat(rustix::stdio::stdin());
    stdin.is_ok_and(|stat| matches!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo | FileType::Socket))
}

fn wait_for_end(mut input: impl Read) {
    let mut buffer = [0; 256];
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_is_heard_before_and_after_it_was_made() {
        let (request, stop) = Stop::by_hand();
        let waiting = tokio::spawn({
            let stop = stop.clone();
            async move { stop.requested().await }
        });
        assert!(!stop.is_requested());
        request.send_replace(true);
        waiting.await.unwrap();
        stop.requested().await;
        assert!(stop.is_requested());
    }

    #[test]
    fn what_is_written_to_the_pipe_does_not_end_it() {
        let mut input: &[u8] = &[7; 1000];
        wait_for_end(&mut input);
        assert!(input.is_empty());
    }
}
