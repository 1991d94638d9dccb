//! Who follows what: one reader of the store's events wakes those whom they concern, however many there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eagleeye_store::{News, Store};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Pause after the database has failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Everybody who follows something; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Followers(Arc<Mutex<HashMap<Uuid, watch::Sender<()>>>>);

impl Followers {
    /// Changes whenever something has happened to `subject`. Whoever looks at it after this call misses nothing.
    pub fn follow(&self, subject: Uuid) -> watch::Receiver<()> {
        let mut followed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        followed.retain(|_, sender| !sender.is_closed());
        followed.entry(subject).or_default().subscribe()
    }

    /// Keeps reading until `shutdown`.
    pub async fn wake(self, store: Store, shutdown: CancellationToken) {
        let mut feed = store.feed();
        loop {
            let news = tokio::select! {
                () = shutdown.cancelled() => return,
                news = feed.next() => news,
            };
            match news {
                Ok(News::Events(events)) => events.iter().for_each(|event| self.tell(event.subject)),
                Ok(News::Start) => self.tell_all(),
                Err(error) => {
                    tracing::warn!(%error, "cannot read events");
                    tokio::select! {
                        () = shutdown.cancelled() => return,
                        () = tokio::time::sleep(PAUSE) => {}
                    }
                }
            }
        }
    }

    fn tell(&self, subject: Uuid) {
        if let Some(sender) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&subject) {
            sender.send_replace(());
        }
    }

    fn tell_all(&self) {
        for sender in self.0.lock().unwrap_or_else(PoisonError::into_inner).values() {
            sender.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_follows_is_woken_and_only_by_what_concerns_him() {
        let followers = Followers::default();
        let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
        let (mut first, mut second, elsewhere) =
            (followers.follow(one), followers.follow(one), followers.follow(other));
        followers.tell(one);
        followers.tell(Uuid::now_v7());
        let changed = |receiver: &watch::Receiver<()>| receiver.has_changed().unwrap();
        assert!(changed(&first) && changed(&second) && !changed(&elsewhere));
        first.mark_unchanged();
        second.mark_unchanged();
        followers.tell_all();
        assert!(changed(&first) && changed(&second) && changed(&elsewhere));
    }

    #[tokio::test]
    async fn what_nobody_follows_any_more_is_forgotten() {
        let followers = Followers::default();
        for _ in 0..10 {
            drop(followers.follow(Uuid::now_v7()));
        }
        let _still = followers.follow(Uuid::now_v7());
        assert_eq!(followers.0.lock().unwrap().len(), 1);
    }
}
