//! The peer: `peers/torch_pruning_search.py`, in a Python environment of its own.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Setting;
use super::costs::Costs;
use super::fixtures::MACS;
use crate::bench::measured::{measure, measuring};
use crate::project::root;
use crate::python;

/// The versions that the page names; torch is the one whose libtorch EagleEye is built with.
const PACKAGES: [&str; 3] = ["torch==2.13.0", "torch-pruning==1.6.1", "numpy"];

pub struct Peer {
    pub python: PathBuf,
}

/// What the peer says of a run.
#[derive(Debug, PartialEq)]
pub struct Searched {
    full: Full,
    pub found: Found,
    mb: f64,
}

/// Its first line.
#[derive(Debug, Deserialize, PartialEq)]
struct Full {
    /// Multiply-adds of the full network, by its own count.
    macs: f64,
}

/// Its last line. Seconds are without its start and without reading the files.
#[derive(Debug, Deserialize, PartialEq)]
pub struct Found {
    candidates: u64,
    draws: u64,
    pub seconds: f64,
    prune_s: f64,
    adapt_s: f64,
    score_s: f64,
    pub best: f64,
}

impl Peer {
    pub fn ensure() -> Result<Self> {
        Ok(Self { python: python::environment(&root().join("target/bench/peer"), &PACKAGES)? })
    }

    pub fn search(&self, setting: &Setting, network: &str, candidates: u32, seed: u32) -> Result<Searched> {
        let threads = setting.threads.to_string();
        let mut search = measuring(&self.python, &self.python);
        search.arg(setting.fixtures.peer_script()).arg(setting.fixtures.folder()).args(["--model", network]);
        search.args(["--n", &candidates.to_string(), "--macs", &MACS.to_string(), "--seed", &seed.to_string()]);
        search.args(["--threads", &threads]).env("OMP_NUM_THREADS", &threads);
        let measured = measure(&mut search)?;
        Searched::parse(&measured.output, measured.mb)
    }
}

impl Searched {
    fn parse(printed: &str, mb: f64) -> Result<Self> {
        let mut lines = printed.lines().filter(|line| line.starts_with('{'));
        let (first, last) = (lines.next(), lines.next_back());
        let full = serde_json::from_str(first.context("the peer printed no JSON")?)
            .context("the peer does not say what the full network costs")?;
        let found = serde_json::from_str(last.context("the peer printed no result")?)
            .context("the peer's result has another form")?;
        Ok(Self { full, found, mb })
    }

    pub fn costs(&self) -> Costs {
        let found = &self.found;
        let count = found.candidates as f64;
        Costs {
            pruning: found.prune_s / count,
            adapting: found.adapt_s / count,
            scoring: found.score_s / count,
            seconds: found.seconds / count,
            draws: found.draws as f64 / count,
            // It does not say what each candidate costs, but it evaluates only those that are close to the budget.
            macs: MACS * self.full.macs,
            mb: self.mb,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_those_of_one_candidate() {
        let printed = r#"{"model": "resnet20", "accuracy": 0.9, "macs": 31407690.0}
a warning of some library
{"candidates": 2, "draws": 13, "seconds": 16.5, "prune_s": 9.0, "adapt_s": 3.5, "score_s": 4.0, "best": 0.82, "scores": [0.82, 0.5]}
"#;
        let searched = Searched::parse(printed, 700.0).unwrap();
        let wanted = Costs {
            pruning: 4.5,
            adapting: 1.75,
            scoring: 2.0,
            seconds: 8.25,
            draws: 6.5,
            macs: 15_703_845.0,
            mb: 700.0,
        };
        assert_eq!(searched.costs(), wanted);
        assert_eq!(searched.found.best, 0.82);
    }

    #[test]
    fn a_run_without_a_result_is_an_error() {
        assert!(Searched::parse(r#"{"model": "resnet20", "accuracy": 0.9, "macs": 31407690.0}"#, 1.0).is_err());
        assert!(Searched::parse("", 1.0).is_err());
    }
}
