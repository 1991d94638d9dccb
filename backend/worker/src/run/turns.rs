//! Turns: a job that takes hours, as a search, lets jobs that take seconds, as exports, go before its next step.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::run::engine_thread::CancelFlag;

/// How often a job that waits looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// The end of the engine's thread, which offers a turn and waits until it is over.
#[derive(Debug)]
pub struct Offers(mpsc::UnboundedSender<Turn>);

/// The end of the asynchronous side.
#[derive(Debug)]
pub struct Turns(mpsc::UnboundedReceiver<Turn>);

/// The engine waits for as long as this lives.
#[derive(Debug)]
pub struct Turn {
    _over: oneshot::Sender<()>,
}

pub fn turns() -> (Offers, Turns) {
    let (offers, turns) = mpsc::unbounded_channel();
    (Offers(offers), Turns(turns))
}

impl Offers {
    /// For a job in whose turns nobody else goes.
    pub fn refused() -> Self {
        turns().0
    }

    /// Returns when the other side has done what it wanted to, or when the job is to stop.
    pub fn offer(&self, runtime: &Handle, cancel: &CancelFlag) {
        let (over, mut is_over) = oneshot::channel();
        if self.0.send(Turn { _over: over }).is_err() {
            return;
        }
        runtime.block_on(async {
            while !cancel.is_set() {
                tokio::select! {
                    _ = &mut is_over => return,
                    () = sleep(LOOK) => {}
                }
            }
        });
    }
}

impl Turns {
    /// The next turn; `None` when the job is over.
    pub async fn next(&mut self) -> Option<Turn> {
        self.0.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_engine_waits_until_its_turn_is_given_back() {
        let (offers, mut turns) = turns();
        let (runtime, cancel) = (Handle::current(), CancelFlag::default());
        let engine = std::thread::spawn(move || offers.offer(&runtime, &cancel));
        let turn = turns.next().await.unwrap();
        sleep(Duration::from_millis(100)).await;
        assert!(!engine.is_finished());
        drop(turn);
        assert!(turns.next().await.is_none(), "the engine's end is gone with its thread");
        engine.join().unwrap();
    }

    #[tokio::test]
    async fn a_search_that_is_to_stop_does_not_wait_for_the_end_of_an_export() {
        let (offers, mut turns) = turns();
        let (runtime, cancel) = (Handle::current(), CancelFlag::default());
        let told = cancel.clone();
        let engine = std::thread::spawn(move || offers.offer(&runtime, &told));
        let turn = turns.next().await.unwrap();
        cancel.set();
        assert!(turns.next().await.is_none());
        engine.join().unwrap();
        drop(turn);
    }
}
