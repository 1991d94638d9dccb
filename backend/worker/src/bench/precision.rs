//! Whether candidates come in the same order in whatever numbers they are adapted and scored.

use clap::Args;
use eagleeye_engine::timing::{CandidateTimes, time_candidates};
use eagleeye_engine::{Device, device, has_bfloat16, reason};
use eagleeye_spec::{EvaluationPrecision, SearchRequest};
use eagleeye_study::Coefficient;
use serde::Serialize;

use crate::failure::Failure;
use crate::hardware::Hardware;
use crate::output;
use crate::search::SearchArgs;
use crate::search::inputs::{Inputs, inputs};
use crate::search::observer::Told;

#[derive(Debug, Args)]
pub struct BenchPrecisionArgs {
    #[command(flatten)]
    search: SearchArgs,
}

/// What was measured of the same candidates in either precision.
#[derive(Debug, Serialize)]
struct Measured {
    device: String,
    hardware: Option<String>,
    /// Whether the device computes in `bfloat16`; else both were `float32`.
    has_bfloat16: bool,
    candidates: usize,
    float32: Figures,
    bfloat16: Figures,
    /// Of top-1; `None` where all candidates are equal.
    spearman: Option<f64>,
    kendall: Option<f64>,
    /// The largest difference of a candidate's top-1.
    difference: f64,
    is_same_best: bool,
}

#[derive(Debug, Serialize)]
struct Figures {
    /// Mean seconds of a candidate, on all images.
    seconds: f64,
    top1: Vec<f64>,
}

/// Evaluates the request's candidates in either precision.
pub fn bench_precision(BenchPrecisionArgs { search: args }: &BenchPrecisionArgs) -> Result<(), Failure> {
    let read = inputs(args, |_, images, channels| args.request(images, channels), &mut Told::default())?;
    let on = args.device.resolve()?;
    let [whole, half] =
        [EvaluationPrecision::Float32, EvaluationPrecision::Bfloat16].map(|precision| timed(&read, precision));
    output::json(&compared(on, &whole?, &half?)?)
}

fn timed(read: &Inputs, precision: EvaluationPrecision) -> Result<Vec<CandidateTimes>, Failure> {
    let request = SearchRequest { precision, ..read.request.clone() };
    Ok(time_candidates(&read.network, &read.images, &request, request.candidates.max(1) as usize)?)
}

fn compared(on: Device, whole: &[CandidateTimes], half: &[CandidateTimes]) -> Result<Measured, Failure> {
    let (float32, bfloat16) = (figures(whole), figures(half));
    let correlation = |coefficient: Coefficient| coefficient.of(&float32.top1, &bfloat16.top1);
    let differences = float32.top1.iter().zip(&bfloat16.top1).map(|(whole, half)| (whole - half).abs());
    Ok(Measured {
        device: device::name(on),
        hardware: Hardware::of(on).name,
        has_bfloat16: has_bfloat16(on).map_err(|error| Failure::Torch(reason(&error)))?,
        candidates: whole.len(),
        spearman: correlation(Coefficient::Spearman),
        kendall: correlation(Coefficient::Kendall),
        difference: differences.fold(0.0, f64::max),
        is_same_best: best(&float32.top1) == best(&bfloat16.top1),
        float32,
        bfloat16,
    })
}

fn figures(times: &[CandidateTimes]) -> Figures {
    let seconds = times.iter().map(|time| time.proposing + time.pruning + time.adapting + time.scoring);
    Figures {
        seconds: seconds.sum::<f64>() / times.len().max(1) as f64,
        top1: times.iter().map(|time| time.top1).collect(),
    }
}

/// The first of the best.
fn best(top1: &[f64]) -> Option<usize> {
    (0..top1.len()).rev().max_by(|&a, &b| top1[a].total_cmp(&top1[b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(top1: &[f64]) -> Vec<CandidateTimes> {
        let time = |&top1| CandidateTimes { proposing: 0.1, pruning: 0.1, adapting: 0.3, scoring: 0.5, macs: 1, top1 };
        top1.iter().map(time).collect()
    }

    #[test]
    fn both_precisions_are_held_against_each_other() {
        let found = compared(Device::Cpu, &times(&[0.5, 0.7, 0.6, 0.7]), &times(&[0.51, 0.69, 0.6, 0.7])).unwrap();
        assert!((found.difference - 0.01).abs() < 1e-12);
        assert!(found.spearman.unwrap() > 0.9 && found.kendall.unwrap() > 0.8);
        assert!(!found.is_same_best, "of two that are equal the first is the best");
        assert!((found.float32.seconds - 1.0).abs() < 1e-12);
        let reversed = compared(Device::Cpu, &times(&[0.1, 0.2, 0.3]), &times(&[0.3, 0.2, 0.1])).unwrap();
        assert_eq!((reversed.spearman.map(f64::round), reversed.is_same_best), (Some(-1.0), false));
    }
}
