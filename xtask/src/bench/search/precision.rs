//! The same candidates in float32 and in bfloat16.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use super::fixtures::{Fixtures, NETWORKS};
use crate::bench::measured::{measure as run, measuring_worker};
use crate::bench::missed::Missed;
use crate::bench::{machine, page};
use crate::project::say;
use crate::python;

/// Candidates of a network; one is the uniform strategy, the others are drawn at random.
const CANDIDATES: u32 = 25;
/// The least that their orders have to agree, by Spearman's rho.
const LIMIT: f64 = 0.98;

const HEAD: &str = "| network | candidates | float32, s | bfloat16, s | ratio | Spearman | Kendall | top-1 differs by at most | same best |\n\
                    |---|---|---|---|---|---|---|---|---|\n";

/// What `eagleeye-worker bench-precision` prints.
#[derive(Debug, Deserialize)]
struct Compared {
    has_bfloat16: bool,
    candidates: u32,
    float32: Figures,
    bfloat16: Figures,
    spearman: Option<f64>,
    kendall: Option<f64>,
    difference: f64,
    is_same_best: bool,
}

#[derive(Debug, Deserialize)]
struct Figures {
    seconds: f64,
}

/// Evaluates the candidates of every network and writes a section of the page.
pub fn measure(fixtures: &Fixtures, missed: &mut Missed) -> Result<()> {
    let mut table = HEAD.to_owned();
    for network in NETWORKS {
        say("bench", format!("{network}, {CANDIDATES} candidates in float32 and bfloat16"));
        let compared = compare(fixtures, network)?;
        compared.check(network, missed);
        table += &compared.row(network);
    }
    page::publish("precision", "precision SHARED", None, &table)
}

fn compare(fixtures: &Fixtures, network: &str) -> Result<Compared> {
    let folder = tempfile::tempdir().context("cannot make a scratch folder")?;
    let mut worker = measuring_worker(&python::ensure()?, "bench-precision");
    fixtures.give(&mut worker, network);
    worker.args(["--strategy", "random", "--test", "0", "--seed", "1", "--candidates", &CANDIDATES.to_string()]);
    worker.arg("--out").arg(folder.path().join("unused.onnx"));
    worker.env("OMP_NUM_THREADS", machine::cores()?.to_string());
    let measured = run(&mut worker)?;
    let compared: Compared = serde_json::from_str(&measured.output).context("bench-precision printed another form")?;
    ensure!(compared.has_bfloat16, "this processor does not compute in bfloat16: there is nothing to compare");
    Ok(compared)
}

impl Compared {
    fn check(&self, network: &str, missed: &mut Missed) {
        let rho = self.spearman.unwrap_or(f64::NAN);
        missed.at_least(LIMIT, rho, format_args!("{network}, rank correlation of bfloat16 with float32"));
    }

    fn row(&self, network: &str) -> String {
        let Self { candidates, float32, bfloat16, difference, is_same_best, .. } = self;
        let ratio = bfloat16.seconds / float32.seconds;
        let [rho, tau] = [self.spearman, self.kendall].map(|found| found.unwrap_or(f64::NAN));
        let best = if *is_same_best { "yes" } else { "no" };
        format!(
            "| {network} | {candidates} | {:.3} | {:.3} | {ratio:.2} | {rho:.4} | {tau:.4} | {difference:.4} | {best} |\n",
            float32.seconds, bfloat16.seconds
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(spearman: Option<f64>) -> Compared {
        Compared {
            has_bfloat16: true,
            candidates: 25,
            float32: Figures { seconds: 2.0 },
            bfloat16: Figures { seconds: 1.0 },
            spearman,
            kendall: Some(0.97),
            difference: 0.004,
            is_same_best: true,
        }
    }

    #[test]
    fn another_order_misses_the_limit() {
        for (rho, holds) in [(Some(0.99), true), (Some(0.97), false), (None, false)] {
            let mut missed = Missed::default();
            compared(rho).check("resnet20", &mut missed);
            assert_eq!(missed.into_result().is_ok(), holds, "{rho:?}");
        }
    }

    #[test]
    fn the_row_has_both_times_and_how_they_agree() {
        let row = compared(Some(0.995)).row("resnet20");
        assert_eq!(row, "| resnet20 | 25 | 2.000 | 1.000 | 0.50 | 0.9950 | 0.9700 | 0.0040 | yes |\n");
    }
}
