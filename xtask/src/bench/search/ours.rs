//! Our side: `eagleeye-worker bench` for the parts of candidates, and `eagleeye-worker search` for a whole search.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::Setting;
use super::costs::Costs;
use super::fixtures::{CALIBRATION, SCORING};
use crate::bench::measured::{Measured, measure, measuring_worker};

/// What `bench` says.
#[derive(Debug, Deserialize)]
pub struct Timed {
    pub libtorch: String,
    threads: usize,
    /// Multiply-adds a second of a matrix product.
    pub peak_macs: f64,
    calibration_images: u64,
    scoring_images: u64,
    candidates: Vec<Candidate>,
}

#[derive(Debug, Deserialize)]
struct Candidate {
    proposing: f64,
    pruning: f64,
    adapting: f64,
    scoring: f64,
    macs: f64,
}

/// Times candidates part by part in `float32` or `bfloat16`, without a race. Their strategies are drawn at random, as the peer's.
pub fn time_candidates(
    setting: &Setting,
    network: &str,
    count: u32,
    seed: u32,
    precision: &str,
) -> Result<(Timed, Costs)> {
    let folder = tempfile::tempdir().context("cannot make a scratch folder")?;
    let mut bench = worker(setting, network, "bench", count, seed);
    bench
        .args(["--strategy", "random", "--test", "0", "--precision", precision, "--out"])
        .arg(folder.path().join("bench.json"));
    let measured = measure(&mut bench)?;
    let timed: Timed = serde_json::from_str(&measured.output).context("bench printed JSON of another form")?;
    timed.check(setting.threads)?;
    let costs = timed.costs(measured.mb);
    Ok((timed, costs))
}

/// The winner of a search.
#[derive(Debug, PartialEq)]
pub struct Won {
    /// Of the whole command, with its start, reading the files, and writing the winner.
    pub seconds: f64,
    pub top1: f64,
    /// The 95% interval.
    pub low: f64,
    pub high: f64,
}

/// A whole search in a race, by the default strategy, with some options.
pub fn search(setting: &Setting, network: &str, candidates: u32, options: &[&str]) -> Result<Won> {
    let folder = tempfile::tempdir().context("cannot make a scratch folder")?;
    let mut search = worker(setting, network, "search", candidates, 0);
    search.args(options).args(["--no-latency", "--json", "--out"]).arg(folder.path().join("winner.onnx"));
    Won::of(&measure(&mut search)?)
}

fn worker(setting: &Setting, network: &str, task: &str, candidates: u32, seed: u32) -> Command {
    let mut worker = measuring_worker(&setting.peer.python, task);
    setting.fixtures.give(&mut worker, network);
    worker.args(["--candidates", &candidates.to_string(), "--seed", &seed.to_string()]);
    worker.env("OMP_NUM_THREADS", setting.threads.to_string());
    worker
}

impl Timed {
    /// Both sides have the same threads and images, or the comparison means nothing.
    fn check(&self, threads: usize) -> Result<()> {
        ensure!(self.threads == threads, "the worker has {} threads, the peer {threads}", self.threads);
        let images = (self.calibration_images, self.scoring_images);
        ensure!(images == (CALIBRATION, SCORING), "the worker used {} and {} images", images.0, images.1);
        ensure!(!self.candidates.is_empty(), "the worker has evaluated no candidate");
        Ok(())
    }

    fn costs(&self, mb: f64) -> Costs {
        let mean =
            |part: fn(&Candidate) -> f64| self.candidates.iter().map(part).sum::<f64>() / self.candidates.len() as f64;
        let pruning = mean(|candidate| candidate.proposing + candidate.pruning);
        let (adapting, scoring) = (mean(|candidate| candidate.adapting), mean(|candidate| candidate.scoring));
        Costs {
            pruning,
            adapting,
            scoring,
            seconds: pruning + adapting + scoring,
            // Strategies are moved onto the budget before anything is pruned.
            draws: 1.0,
            macs: mean(|candidate| candidate.macs),
            mb,
        }
    }
}

/// The parts of a search's report that matter here.
#[derive(Deserialize)]
struct Report {
    sections: Vec<Section>,
}

#[derive(Deserialize)]
struct Section {
    winner: Winner,
}

#[derive(Deserialize)]
struct Winner {
    scoring: ScoredOn,
}

#[derive(Deserialize)]
struct ScoredOn {
    images: u64,
    score: Score,
    intervals: Intervals,
}

#[derive(Deserialize)]
struct Score {
    top1: f64,
}

#[derive(Deserialize)]
struct Intervals {
    top1: Interval,
}

#[derive(Deserialize)]
struct Interval {
    low: f64,
    high: f64,
}

impl Won {
    fn of(measured: &Measured) -> Result<Self> {
        let report: Report =
            serde_json::from_str(&measured.output).context("search printed a report of another form")?;
        let winner = &report.sections.first().context("the search had no budget")?.winner;
        let ScoredOn { images, score, intervals } = &winner.scoring;
        ensure!(*images == SCORING, "the winner was scored on {images} images, not on {SCORING}");
        let Interval { low, high } = intervals.top1;
        Ok(Self { seconds: measured.seconds, top1: score.top1, low, high })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn costs_are_the_mean_of_the_candidates() {
        let candidate = |adapting: f64| json!({ "proposing": 0.001, "pruning": 0.003, "adapting": adapting, "scoring": 0.5, "macs": 1000, "top1": 0.9 });
        let mut said = json!({
            "device": "cpu", "hardware": null, "libtorch": "2.13.0", "threads": 2, "peak_macs": 5e10,
            "calibration_images": 3200, "scoring_images": 5000, "batch_size": 128, "reading": 1.0,
            "candidates": [candidate(0.25), candidate(0.75)], "peak_memory_bytes": 1,
        });
        let timed: Timed = serde_json::from_value(said.clone()).unwrap();
        timed.check(2).unwrap();
        assert!(timed.check(4).is_err());
        let costs = timed.costs(300.0);
        assert_eq!((costs.adapting, costs.scoring, costs.macs, costs.mb), (0.5, 0.5, 1000.0, 300.0));
        assert!((costs.seconds - 1.004).abs() < 1e-9);
        said["scoring_images"] = json!(100);
        assert!(serde_json::from_value::<Timed>(said).unwrap().check(2).is_err());
    }

    #[test]
    fn the_winner_has_to_be_scored_on_all_images() {
        let run = |images: u64| {
            let scoring = json!({
                "images": images, "score": { "top1": 0.91 }, "intervals": { "top1": { "low": 0.90, "high": 0.92 } },
            });
            let output = json!({ "seconds": 6.0, "sections": [{ "winner": { "scoring": scoring } }] }).to_string();
            Won::of(&Measured { seconds: 7.0, mb: 300.0, output })
        };
        assert_eq!(run(5000).unwrap(), Won { seconds: 7.0, top1: 0.91, low: 0.90, high: 0.92 });
        assert!(run(1250).is_err());
    }
}
