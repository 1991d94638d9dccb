//! Events as they happen, for one reader in a process, who passes them on.

use std::collections::BTreeMap;
use std::time::Duration;

use sea_orm::sqlx::postgres::PgListener;
use sea_orm::{ColumnTrait, Condition, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio::time::Instant;

use crate::answer::answer_within;
use crate::entities::event;
use crate::error::StoreError;
use crate::events::Event;
use crate::store::Store;

/// How often SQLite is asked, which cannot say that there is something new: one look at the end of a table.
const SQLITE_PAUSE: Duration = Duration::from_millis(200);
/// How long PostgreSQL may be silent before it is asked: a proxy between may not pass on what it says.
const POSTGRES_PAUSE: Duration = Duration::from_secs(2);
/// What the migration's trigger notifies.
const CHANNEL: &str = "eagleeye_events";
/// How long an event may be missing behind which others are visible already. PostgreSQL ends any transaction of ours that waits
/// longer for a lock, or for its process.
const LONGEST_TRANSACTION: Duration = Duration::from_secs(60);
/// Events in one answer, and numbers that may be missing at once.
const MOST: usize = 1000;
const ANSWER: Duration = Duration::from_secs(10);

/// What a reader is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// In the order of their numbers; each once.
    Events(Vec<Event>),
    /// The reader begins here, or began anew after a fault: whatever it knows may be out of date.
    Start,
}

/// Reads events. Made by [`Store::feed`].
#[derive(Debug)]
pub struct Feed {
    store: Store,
    /// `None` until the first look, and after a fault.
    position: Option<Position>,
    listener: Option<PgListener>,
}

/// Which events have been read.
#[derive(Debug)]
struct Position {
    /// The highest that was read.
    last: i64,
    /// Lower ones that were not, and until when they are looked for.
    missing: BTreeMap<i64, Instant>,
    /// Whether a number may become visible after a higher one. SQLite has one writer at a time.
    has_gaps: bool,
}

impl Store {
    /// Events from now on. The first news is [`News::Start`].
    pub fn feed(&self) -> Feed {
        Feed { store: self.clone(), position: None, listener: None }
    }
}

impl Feed {
    /// Waits for news. Nothing is lost where the future is dropped.
    ///
    /// # Errors
    /// The database's. The next call begins anew, and its news is then [`News::Start`].
    pub async fn next(&mut self) -> Result<News, StoreError> {
        let news = self.wait().await;
        if news.is_err() {
            (self.position, self.listener) = (None, None);
        }
        news
    }

    async fn wait(&mut self) -> Result<News, StoreError> {
        loop {
            let Some(position) = &mut self.position else {
                // Listened first: what is written between the two is heard.
                self.listener = answer_within(ANSWER, listener(&self.store)).await?;
                let newest = answer_within(ANSWER, newest(&self.store)).await?;
                self.position = Some(Position::behind(&newest, self.listener.is_some(), Instant::now()));
                return Ok(News::Start);
            };
            let rows = answer_within(ANSWER, read(&self.store, position)).await?;
            let events: Vec<Event> = rows.into_iter().map(Event::from).collect();
            position.note(events.iter().map(|event| event.id), Instant::now());
            if !events.is_empty() {
                return Ok(News::Events(events));
            }
            if !heard(&mut self.listener).await? {
                self.position = None;
            }
        }
    }
}

impl Position {
    /// Behind these events, in ascending order. What is missing between them may still come.
    fn behind(newest: &[i64], has_gaps: bool, now: Instant) -> Self {
        let last = newest.first().map_or(0, |first| first - 1);
        let mut position = Position { last, missing: BTreeMap::new(), has_gaps };
        position.note(newest.iter().copied(), now);
        position
    }

    /// Notes what was read, in ascending order.
    fn note(&mut self, ids: impl Iterator<Item = i64>, now: Instant) {
        for id in ids {
            self.missing.remove(&id);
            if self.has_gaps && id > self.last {
                // A gap is a change that is not committed yet, or never will be.
                self.missing.extend((self.last + 1..id).rev().take(MOST).map(|id| (id, now + LONGEST_TRANSACTION)));
            }
            self.last = self.last.max(id);
        }
        self.missing.retain(|_, until| *until > now);
        while self.missing.len() > MOST {
            self.missing.pop_first();
        }
    }
}

/// Waits until there may be something new; false where some of it may have been missed.
async fn heard(listener: &mut Option<PgListener>) -> Result<bool, StoreError> {
    let Some(listener) = listener else {
        tokio::time::sleep(SQLITE_PAUSE).await;
        return Ok(true);
    };
    match tokio::time::timeout(POSTGRES_PAUSE, listener.try_recv()).await {
        Ok(Ok(Some(_))) => {
            // One look is enough for all that has been said.
            while listener.next_buffered().is_some() {}
            Ok(true)
        }
        Ok(Ok(None)) => Ok(false),
        Ok(Err(error)) => Err(DbErr::Query(sea_orm::RuntimeErr::SqlxError(error.into())).into()),
        Err(_) => Ok(true),
    }
}

async fn listener(store: &Store) -> Result<Option<PgListener>, StoreError> {
    if store.database().get_database_backend() != DbBackend::Postgres {
        return Ok(None);
    }
    let connect = async {
        let mut listener = PgListener::connect_with(store.database().get_postgres_connection_pool()).await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    };
    let failed = |error: sea_orm::SqlxError| DbErr::Conn(sea_orm::RuntimeErr::SqlxError(error.into()));
    Ok(Some(connect.await.map_err(failed)?))
}

/// Numbers of the newest events, in ascending order.
async fn newest(store: &Store) -> Result<Vec<i64>, StoreError> {
    let query = event::Entity::find().select_only().column(event::Column::Id);
    let newest = query.order_by_desc(event::Column::Id).limit(MOST as u64).into_tuple().all(store.database());
    let mut ids: Vec<i64> = newest.await?;
    ids.reverse();
    Ok(ids)
}

async fn read(store: &Store, position: &Position) -> Result<Vec<event::Model>, StoreError> {
    let mut unread = Condition::any().add(event::Column::Id.gt(position.last));
    if !position.missing.is_empty() {
        unread = unread.add(event::Column::Id.is_in(position.missing.keys().copied()));
    }
    let query = event::Entity::find().filter(unread).order_by_asc(event::Column::Id).limit(MOST as u64);
    Ok(query.all(store.database()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(position: &Position) -> Vec<i64> {
        position.missing.keys().copied().collect()
    }

    #[tokio::test]
    async fn numbers_that_were_skipped_are_looked_for_until_they_come_or_cannot_come_any_more() {
        let now = Instant::now();
        let mut position = Position::behind(&[8, 10], true, now);
        assert_eq!((position.last, missing(&position)), (10, vec![9]), "it may be of a change that is under way");
        position.note([11, 14, 15].into_iter(), now);
        assert_eq!((position.last, missing(&position)), (15, vec![9, 12, 13]));
        position.note([9, 13, 17].into_iter(), now + Duration::from_secs(1));
        assert_eq!((position.last, missing(&position)), (17, vec![12, 16]));
        position.note(std::iter::empty(), now + LONGEST_TRANSACTION);
        assert_eq!(missing(&position), [16]);
        position.note(std::iter::empty(), now + LONGEST_TRANSACTION + Duration::from_secs(1));
        assert_eq!(missing(&position), Vec::<i64>::new());
    }

    #[tokio::test]
    async fn a_leap_of_the_numbers_is_not_filled() {
        let mut position = Position::behind(&[], true, Instant::now());
        position.note([i64::MAX].into_iter(), Instant::now());
        assert_eq!((position.last, position.missing.len()), (i64::MAX, MOST));
    }

    #[tokio::test]
    async fn where_there_is_one_writer_nothing_is_missing() {
        let mut position = Position::behind(&[3, 7], false, Instant::now());
        position.note([12].into_iter(), Instant::now());
        assert_eq!((position.last, position.missing.len()), (12, 0));
    }
}
