//! A worker that tests move by hand: it writes to the server's store what a real one would.

use std::path::Path;

use eagleeye_spec::{
    Baseline, DriftKind, Epoch, Evaluation, EvaluationKind, GroupKeep, Histogram, ImageSet, LayerDrift, Origin, Score,
    StrategyName, TuningResult,
};
use eagleeye_store::{
    Claim, EXPORT_JOB, Exported, Lease, NewCandidate, Progress, SEARCH_JOB, Split, Store, StoreConfig, StoreError,
    TUNING_JOB, Tuned, Wanted, WorkerReport,
};
use tokio::runtime::Runtime;

use crate::server::Server;

const KINDS: [Wanted<'static>; 3] = [
    Wanted { kind: EXPORT_JOB, priority: 0 },
    Wanted { kind: SEARCH_JOB, priority: 1 },
    Wanted { kind: TUNING_JOB, priority: 1 },
];

pub struct Puppet {
    runtime: Runtime,
    store: Store,
}

impl Puppet {
    pub fn new(data: &Path) -> Self {
        let runtime = Runtime::new().unwrap();
        let store = runtime.block_on(Store::connect_with(StoreConfig::in_folder(data))).unwrap();
        Self { runtime, store }
    }

    /// Claims a job that must be there.
    pub fn claim(&self) -> Claim {
        self.claim_as("puppet")
    }

    pub fn claim_as(&self, worker: &str) -> Claim {
        self.runtime.block_on(self.store.queue().claim(worker, &KINDS)).unwrap().expect("there is a job")
    }

    /// Says that a worker is there.
    pub fn report(&self, report: &WorkerReport) {
        self.runtime.block_on(self.store.workers().report(report)).unwrap();
    }

    pub fn set_aside(&self, lease: &Lease, waiting_for: &str) {
        self.runtime.block_on(self.store.queue().set_aside(lease, waiting_for)).unwrap();
    }

    /// Stores split and baseline, as a search begins.
    pub fn begin(&self, lease: &Lease) {
        let split = Split { calibration: (0..20).collect(), scoring: (20..50).collect(), test: (50..100).collect() };
        let baseline = Baseline {
            score: Score::new(0.94, 0.99, 0.2),
            intervals: None,
            macs: 1_000_000,
            parameters: 50_000,
            bytes: Some(201_000),
            test: None,
            hits: None,
        };
        self.runtime.block_on(self.store.searches().save_split(lease, &split)).unwrap();
        self.runtime.block_on(self.store.searches().save_baseline(lease, &baseline)).unwrap();
    }

    pub fn candidate(&self, lease: &Lease, index: u32, top1: f64) -> Result<(), StoreError> {
        let candidate = NewCandidate {
            index,
            strategy: vec![16 + index],
            groups: vec![GroupKeep { group: "features.0".to_owned(), size: 32, kept: 16 }],
            origin: Origin {
                strategy: StrategyName("random".to_owned()),
                budget: Some(0),
                number: index,
                is_probe: false,
            },
            macs: 500_000 + u64::from(index),
            parameters: 25_000,
            bytes: Some(101_000),
            evaluations: vec![
                evaluation(EvaluationKind::Adapted, Score::new(top1, 0.99, 1.0 - top1), 1.25),
                evaluation(EvaluationKind::Unadapted, Score::new(0.1, 0.5, f64::INFINITY), 0.25),
            ],
            seconds: 1.5,
        };
        self.runtime.block_on(self.store.searches().record_candidate(lease, candidate)).map(drop)
    }

    /// Scores a repaired candidate.
    pub fn repaired(&self, lease: &Lease, index: u32, top1: f64) {
        let repaired = evaluation(EvaluationKind::Repaired, Score::new(top1, 0.99, 0.2), 2.5);
        self.runtime.block_on(self.store.searches().record_evaluation(lease, index, &repaired)).unwrap();
    }

    pub fn finish(&self, lease: &Lease) {
        self.runtime.block_on(self.store.searches().finish(lease)).unwrap();
    }

    pub fn fail(&self, lease: &Lease, reason: &str) {
        self.runtime.block_on(self.store.queue().fail(lease, reason)).unwrap();
    }

    /// Stops because the heartbeat's answer says so.
    pub fn obey(&self, lease: &Lease) {
        let answer = self.runtime.block_on(self.store.queue().heartbeat(lease)).unwrap();
        assert!(answer.stop_requested && !answer.lost);
        self.runtime.block_on(self.store.queue().stopped(lease)).unwrap();
    }

    /// Does a whole search, whose candidates have these scores.
    pub fn search(&self, top1: &[f64]) {
        let claim = self.claim();
        assert_eq!(claim.kind, SEARCH_JOB, "{claim:?}");
        self.begin(&claim.lease);
        for (index, top1) in (0..).zip(top1) {
            self.candidate(&claim.lease, index, *top1).unwrap();
        }
        self.finish(&claim.lease);
    }

    /// A finished search with three candidates, whose winner's exports are done.
    pub fn searched(&self, server: &Server) -> String {
        let search = server.search();
        self.search(&[0.5, 0.7, 0.6]);
        for file in ["one", "two", "three"] {
            self.export(file);
        }
        search
    }

    /// Does the first epoch of a tuning.
    pub fn epoch(&self, lease: &Lease) {
        let epoch = epoch(1, 0.9);
        let tunings = self.store.tunings();
        self.runtime.block_on(tunings.begin(lease, 1234)).unwrap();
        let progress = Progress { phase: "epochs".to_owned(), done: 10, total: 30 };
        self.runtime.block_on(self.store.queue().progress(lease, &progress)).unwrap();
        self.runtime.block_on(tunings.record_epoch(lease, &epoch)).unwrap();
        let snapshot = self.runtime.block_on(self.store.upload_bytes("snapshot")).unwrap();
        self.runtime.block_on(tunings.save_snapshot(lease, &snapshot)).unwrap();
    }

    /// Does an epoch of a tuning, which is the last of a rung of its race.
    pub fn rung(&self, lease: &Lease, number: u32, top1: f64) {
        self.runtime.block_on(self.store.tunings().record_epoch(lease, &epoch(number, top1))).unwrap();
        let snapshot = self.runtime.block_on(self.store.upload_bytes(format!("{number} {top1}"))).unwrap();
        self.runtime.block_on(self.store.tunings().reach_end_of_rung(lease, &snapshot)).unwrap();
    }

    /// Ends a tuning with these weights.
    pub fn tuned(&self, lease: &Lease, weights: &str) {
        let score = |top1| Score::new(top1, 0.99, 0.3);
        let result = TuningResult {
            full: score(0.94),
            before: score(0.5),
            validation: score(0.93),
            test: None,
            epochs: 1,
            training_images: 20,
            validation_images: 30,
            test_images: 0,
            by_epoch: vec![0.5],
            seconds: Some(1.0),
            trained_by: None,
            filter_norms_before: None,
        };
        let weights = self.runtime.block_on(self.store.upload_bytes(weights.to_owned())).unwrap();
        self.runtime.block_on(self.store.tunings().finish(lease, &Tuned { weights, steps: 30, result })).unwrap();
    }

    /// Does the next export, with this content as the file.
    pub fn export(&self, content: &str) {
        let claim = self.claim();
        assert_eq!(claim.kind, EXPORT_JOB, "{claim:?}");
        let upload = self.runtime.block_on(self.store.upload_bytes(content.to_owned())).unwrap();
        let exported = Exported { upload, max_difference: 2.5e-6 };
        self.runtime.block_on(self.store.checkpoints().finish(&claim.lease, &exported)).unwrap();
    }
}

fn epoch(number: u32, top1: f64) -> Epoch {
    Epoch {
        epoch: number,
        steps: u64::from(number) * 10,
        loss: 0.5,
        train_top1: None,
        validation: Score::new(top1, 0.99, 0.4),
        learning_rate: 0.01,
        images_per_second: 1000.0,
        seconds: 1.5,
        seconds_left: 3.0,
        filter_norms: Histogram { low: 0.0, high: 2.0, counts: vec![1, 2] },
        drift: vec![LayerDrift { tensor: "conv1.weight".to_owned(), kind: DriftKind::Weight, relative: 0.1 }],
    }
}

fn evaluation(kind: EvaluationKind, score: Score, seconds: f64) -> Evaluation {
    Evaluation { seconds, ..Evaluation::new(kind, ImageSet::Scoring, 30, score) }
}
