//! Storing candidates: once each, whole or not at all, and to the last digit.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use eagleeye_spec::summary::ReportedSplit;
use eagleeye_spec::{Baseline, EvaluationKind, ImageSet, LatencyModel, LatencyOf, Score};
use eagleeye_store::{CandidateSort, Kind, PageRequest, Progress, Split, StoreError};

use crate::support::{World, candidate, candidate_with, evaluation};

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
    let score = Score::new(0.1 + 0.2, 1.0 / 3.0, f64::MIN_POSITIVE);
    let mut new = candidate_with(0, score);
    new.evaluations[0].seconds = 3.0f64.sqrt();
    new.seconds = 2.0f64.sqrt();
    let stored = world.store.searches().record_candidate(&lease, new.clone()).await.unwrap();
    let read = world.store.candidates().get(stored.id).await.unwrap();
    assert_eq!(read, stored);
    assert_eq!((read.score, &read.evaluations, read.seconds), (score, &new.evaluations, new.seconds));
    assert_eq!(read.evaluations[1].score.cross_entropy, None, "a loss that is no number is absent");
}

#[tokio::test]
async fn a_candidate_may_have_evaluations_of_every_kind_on_every_set_of_images() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    let mut new = candidate(0, 0.5);
    new.evaluations.clear();
    for (number, kind) in EvaluationKind::ALL.into_iter().enumerate() {
        for image_set in ImageSet::ALL {
            let images = 10 + number as u64;
            let score = Score::new(images as f64 / 100.0, 1.0, 0.5);
            let evaluation = eagleeye_spec::Evaluation::new(kind, image_set, images, score);
            new.evaluations.push(eagleeye_spec::Evaluation { seconds: 0.75, ..evaluation });
        }
    }
    let stored = world.store.searches().record_candidate(&lease, new.clone()).await.unwrap();
    assert_eq!((stored.score, &stored.evaluations), (new.ranked().unwrap().score, &new.evaluations));
    assert_eq!(world.store.candidates().all(search.id).await.unwrap(), std::slice::from_ref(&stored));
    let changes = world.store.searches().changes_since(search.id, 0).await.unwrap().unwrap();
    assert_eq!(changes.candidates, [stored]);
}

#[tokio::test]
async fn a_candidate_that_cannot_be_ranked_is_refused_whole() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    let unadapted = evaluation(EvaluationKind::Unadapted, Score::new(0.5, 1.0, 1.0));
    for evaluations in [vec![], vec![unadapted]] {
        let mut new = candidate(0, 0.5);
        new.evaluations = evaluations;
        let error = world.store.searches().record_candidate(&lease, new).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { kind: Kind::Candidate, .. }), "{error}");
        assert!(error.to_string().contains("`adapted`, images `scoring`"), "{error}");
    }
    assert_eq!(world.evaluated(search.id).await, [0; 0]);
    assert_eq!(world.store.searches().get(search.id).await.unwrap().progress.done, 0);
}

#[tokio::test]
async fn pages_of_every_order_hold_each_candidate_once() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    for index in 0..11 {
        let loss = if index % 4 == 0 { f64::NAN } else { 0.5 };
        let new = candidate_with(index, Score::new(f64::from(index % 3) / 10.0, 0.99, loss));
        world.store.searches().record_candidate(&lease, new).await.unwrap();
    }
    let names = [
        "rank",
        "-rank",
        "index",
        "-index",
        "-top1",
        "top5",
        "cross_entropy",
        "-cross_entropy",
        "macs",
        "-parameters",
        "seconds",
    ];
    for name in names {
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
    let indices = async |name: &str| {
        let page = PageRequest::default();
        let listed = world.store.candidates().list(search.id, name.parse().unwrap(), &page).await.unwrap();
        listed.items.iter().map(|candidate| candidate.index).collect::<Vec<u32>>()
    };
    assert_eq!(indices("-top1").await, [2, 5, 8, 1, 4, 7, 10, 0, 3, 6, 9]);
    assert_eq!(indices("rank").await, [2, 5, 8, 1, 7, 10, 4, 3, 6, 9, 0], "of equal top-1, without a loss comes last");
    assert_eq!(indices("-rank").await, [0, 9, 6, 3, 4, 10, 7, 1, 8, 5, 2]);

    // What the database puts first is what the ranking says.
    let mut all = world.store.candidates().all(search.id).await.unwrap();
    all.sort_by(|a, b| {
        let ranked =
            |c: &eagleeye_store::Candidate| eagleeye_spec::Ranked { index: c.index, images: 20, score: c.score };
        ranked(a).best_first(&ranked(b))
    });
    assert_eq!(all.iter().map(|candidate| candidate.index).collect::<Vec<_>>(), indices("rank").await);
}

#[tokio::test]
async fn an_order_or_cursor_that_makes_no_sense_is_refused() {
    let world = World::new().await;
    let search = world.search().await;
    let error = "beauty".parse::<CandidateSort>().unwrap_err();
    assert!(matches!(error, StoreError::BadSort { .. }), "{error}");
    for cursor in ["", "0.5", "0.5_1", "x_0.5_1", "0.5_0.5_x", "0.5_0.5_1_1"] {
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
    assert_eq!(counts, Some(ReportedSplit { calibration: 3, scoring: 2, test: 0 }));
}

#[tokio::test]
async fn the_first_latency_model_stays() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    assert_eq!(search.latency_model, None);
    let model = |fixed: f64| LatencyModel {
        of: LatencyOf::OnnxruntimeOneThread,
        device: "cpu".to_owned(),
        threads: 1,
        fixed,
        per_million_macs: 0.1 + 0.2,
        per_million_activations: 1.0 / 3.0,
        per_million_parameters: 0.0,
        full_milliseconds: 0.356,
        networks: 13,
        error: 0.04,
    };
    let searches = world.store.searches();
    let stored = searches.save_latency_model(&lease, &model(0.01)).await.unwrap();
    assert_eq!(stored, model(0.01));
    assert_eq!(searches.save_latency_model(&lease, &model(0.02)).await.unwrap(), stored);
    assert_eq!(searches.get(search.id).await.unwrap().latency_model, Some(stored));
}

#[tokio::test]
async fn progress_and_baseline_show_on_the_search() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    let progress = Progress { phase: "decoding".to_string(), done: 100, total: 8200 };
    world.store.queue().progress(&lease, &progress).await.unwrap();
    let baseline = Baseline {
        score: Score { agreement: Some(1.0), kl: Some(0.0), ..Score::new(0.936, 0.999, 0.2) },
        intervals: None,
        macs: 16_242_186,
        parameters: 3_217_226,
        bytes: Some(13_000_000),
        test: Some(Score::new(0.93, 0.998, 0.21)),
        hits: None,
    };
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
