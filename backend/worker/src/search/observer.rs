//! Tells on standard error how a search goes, where somebody looks.

use eagleeye_engine::{Flow, Observer, Phase};
use eagleeye_spec::{Baseline, Candidate, Evaluation, Warning};

use crate::output::progress_line;

/// Progress as lines that replace each other, and warnings as lines that stay.
#[derive(Debug, Default)]
pub struct Told {
    pub warnings: Vec<Warning>,
    best: f64,
}

impl Told {
    pub fn line(&self, text: &str) {
        progress_line(text);
    }
}

impl Observer for Told {
    fn cancelled(&self) -> bool {
        false
    }

    fn phase(&mut self, phase: Phase, done: u64, total: u64) {
        self.line(&format!("{}: {done} of {total}, best {:.2}%", phase.name(), 100.0 * self.best));
    }

    fn baseline(&mut self, baseline: Baseline) -> Flow {
        self.line(&format!("full network {:.2}%", 100.0 * baseline.score.top1));
        Flow::Go
    }

    fn candidate(&mut self, candidate: Candidate) -> Flow {
        let score = candidate.ranked().map_or(0.0, |ranked| ranked.score.top1);
        if !candidate.origin.is_probe {
            self.best = self.best.max(score);
        }
        Flow::Go
    }

    fn evaluation(&mut self, _: u32, _: Evaluation) -> Flow {
        Flow::Go
    }

    fn warning(&mut self, warning: Warning) -> Flow {
        self.line("");
        tracing::warn!(code = warning.code.name(), "{}", warning.message);
        self.warnings.push(warning);
        Flow::Go
    }
}
