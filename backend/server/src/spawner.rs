//! A thread that starts child processes.

use std::io;
use std::sync::mpsc;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Starts children that die with this process. Linux ends such a child together with the thread that started it, and
/// the runtime's threads come and go; this one stays until the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Spawner(mpsc::Sender<Order>);

struct Order {
    command: Command,
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Child>>,
}

impl Spawner {
    pub fn start() -> io::Result<Self> {
        let (send, orders) = mpsc::channel::<Order>();
        std::thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            for mut order in orders {
                let _entered = order.runtime.enter();
                // A child that nobody waits for any more is dropped, which kills it where the command says so.
                _ = order.answer.send(order.command.spawn());
            }
        })?;
        Ok(Spawner(send))
    }

    /// Starts what `command` says. To be called inside a runtime.
    pub async fn spawn(&self, command: Command) -> io::Result<Child> {
        let (answer, answered) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts processes has exited");
        self.0.send(Order { command, runtime: Handle::current(), answer }).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn any_task_may_have_a_child_started_and_is_told_why_one_cannot_be() {
        let spawner = Spawner::start().unwrap();
        let start = |spawner: Spawner| async move { spawner.spawn(Command::new("true")).await.unwrap().wait().await };
        for _ in 0..2 {
            assert!(tokio::spawn(start(spawner.clone())).await.unwrap().unwrap().success());
        }
        let missing = spawner.spawn(Command::new("/no/such/program")).await.unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }
}
