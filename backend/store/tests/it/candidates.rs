//! Storing candidates: once each, whole or not at all, and to the last digit.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use eagleeye_store::{Baseline, CandidateSort, PageRequest, Progress, Score, Split, SplitCounts, StoreError};

use crate::support::{World, candidate};

#[tokio::test]
async fn a_candidate_recorded_twice_is_stored_once() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    let first = world.store.searches().record_candidate(&lease, candidate(0, 0.9)).await.unwrap();
    let revision = world.store.searches().get(search.id).await.unwrap().revision;
    let second = world.store.searches().record_candidate(&lease, candidate(0, 0.1)).await.unwrap();
    assert_eq!(second, first);
    let search = world.store.searches().get(search.id).await.unwrap();
    assert_eq!((search.revision, search.progress.done), (revision, 1));
}

#[tokio::test]
async fn two_workers_that_record_at_once_store_each_candidate_once() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    let mut writers = Vec::new();
    for _ in 0..4 {
        let store = world.other_process().await;
        writers.push(tokio::spawn(async move {
            for index in 0..6 {
                store.searches().record_candidate(&lease, candidate(index, 0.9)).await.unwrap();
            }
        }));
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let stored = world.evaluated(search.id).await;
    assert_eq!(stored, [0, 1, 2, 3, 4, 5]);
    assert_eq!(world.store.searches().get(search.id).await.unwrap().progress.done, 6);
}

#[tokio::test]
async fn a_write_that_is_cut_off_anywhere_is_whole_or_absent() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    for polls in 0..60 {
        let index = polls / 2;
        let searches = world.store.searches();
        abandon_after(polls, searches.record_candidate(&lease, candidate(index, 0.9))).await;
        let stored = world.store.candidates().evaluated(search.id).await.unwrap().len() as u64;
        let search = world.store.searches().get(search.id).await.unwrap();
        assert_eq!(search.progress.done, stored, "after {polls} polls");
        world.record(&lease, index, 0.9).await;
    }
    let stored = world.evaluated(search.id).await;
    assert_eq!(stored, (0..30).collect::<Vec<_>>());
}

#[tokio::test]
async fn scores_come_back_to_the_last_bit() {
    let world = World::new().await;
    world.search().await;
    let lease = world.claim("a").await.lease;
    let mut new = candidate(0, 0.1 + 0.2);
    new.score = Score::new(0.1 + 0.2, 1.0 / 3.0, f64::MIN_POSITIVE);
    new.seconds = 2.0f64.sqrt();
    let stored = world.store.searches().record_candidate(&lease, new.clone()).await.unwrap();
    let read = world.store.candidates().get(stored.id).await.unwrap();
    assert_eq!(read, stored);
    assert_eq!((read.score, read.seconds), (new.score, new.seconds));
    let unadapted = read.score_without_adaptation.unwrap();
    assert_eq!((unadapted.top1, unadapted.cross_entropy), (0.1, None), "a loss that is no number is absent");
}

#[tokio::test]
async fn pages_of_every_order_hold_each_candidate_once() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    for index in 0..11 {
        let mut new = candidate(index, f64::from(index % 3) / 10.0);
        if index % 4 == 0 {
            new.score.cross_entropy = None;
        }
        world.store.searches().record_candidate(&lease, new).await.unwrap();
    }
    for name in ["index", "-top1", "top5", "cross_entropy", "-cross_entropy", "macs", "-parameters", "seconds"] {
        let sort: CandidateSort = name.parse().unwrap();
        let all = world.store.candidates().list(search.id, sort, &PageRequest::default()).await.unwrap();
        assert_eq!((all.items.len(), all.next_cursor.is_none()), (11, true));

        let mut paged = Vec::new();
        let mut page = PageRequest { limit: Some(3), cursor: None };
        loop {
            let answer = world.store.candidates().list(search.id, sort, &page).await.unwrap();
            paged.extend(answer.items);
            page.cursor = answer.next_cursor;
            if page.cursor.is_none() {
                break;
            }
        }
        assert_eq!(paged, all.items, "order {name}");
    }
    let best_first =
        world.store.candidates().list(search.id, CandidateSort::BEST_FIRST, &PageRequest::default()).await.unwrap();
    let indices: Vec<u32> = best_first.items.iter().map(|candidate| candidate.index).collect();
    assert_eq!(indices, [2, 5, 8, 1, 4, 7, 10, 0, 3, 6, 9]);
}

#[tokio::test]
async fn an_order_or_cursor_that_makes_no_sense_is_refused() {
    let world = World::new().await;
    let search = world.search().await;
    let error = "beauty".parse::<CandidateSort>().unwrap_err();
    assert!(matches!(error, StoreError::BadSort { .. }), "{error}");
    for cursor in ["", "0.5", "x_1", "0.5_x"] {
        let page = PageRequest { limit: None, cursor: Some(cursor.to_string()) };
        let error = world.store.candidates().list(search.id, CandidateSort::BEST_FIRST, &page).await.unwrap_err();
        assert!(matches!(error, StoreError::BadCursor { .. }), "{cursor}: {error}");
    }
}

#[tokio::test]
async fn the_first_split_stays() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    assert_eq!(world.store.searches().split(search.id).await.unwrap(), None);
    let split = Split { calibration: vec![4, 0, 9], scoring: vec![1, 2], test: vec![] };
    assert_eq!(world.store.searches().save_split(&lease, &split).await.unwrap(), split);
    assert_eq!(world.store.searches().save_split(&lease, &Split::default()).await.unwrap(), split);
    assert_eq!(world.store.searches().split(search.id).await.unwrap(), Some(split));
    let counts = world.store.searches().get(search.id).await.unwrap().split;
    assert_eq!(counts, Some(SplitCounts { calibration: 3, scoring: 2, test: 0 }));
}

#[tokio::test]
async fn progress_and_baseline_show_on_the_search() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    let progress = Progress { phase: "decoding".to_string(), done: 100, total: 8200 };
    world.store.queue().progress(&lease, &progress).await.unwrap();
    let baseline = Baseline { score: Score::new(0.936, 0.999, 0.2), macs: 16_242_186, parameters: 3_217_226 };
    world.store.searches().save_baseline(&lease, &baseline).await.unwrap();
    let search = world.store.searches().get(search.id).await.unwrap();
    assert_eq!((search.progress, search.baseline), (progress, Some(baseline)));
}

/// Polls a future so often and drops it: what a crash or a closed connection does to a call.
async fn abandon_after<F: Future>(polls: u32, future: F) {
    let mut future = pin!(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 || future.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        left -= 1;
        Poll::Pending
    })
    .await;
}
