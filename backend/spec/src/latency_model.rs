//! A model of how long pruned networks take, fitted to some that were measured: what a budget of latency is met by.
//!
//! A search cannot time every strategy that it looks at, and two measurements of one network differ. The model is fitted once,
//! kept with the search, and gives the same strategies whenever it is asked.

use eagleeye_graph::{Rates, Work};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::latency::{Latency, Runtime};

/// What latency a budget is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LatencyOf {
    /// The exported network in ONNX Runtime on the worker's CPU, with one thread.
    #[default]
    OnnxruntimeOneThread,
    /// The exported network in ONNX Runtime on the worker's CPU, with all its threads.
    OnnxruntimeAllThreads,
    /// The network in libtorch on the worker's device.
    Libtorch,
}

impl LatencyOf {
    pub const ALL: [Self; 3] = [Self::OnnxruntimeOneThread, Self::OnnxruntimeAllThreads, Self::Libtorch];

    /// The name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::OnnxruntimeOneThread => "onnxruntime_one_thread",
            Self::OnnxruntimeAllThreads => "onnxruntime_all_threads",
            Self::Libtorch => "libtorch",
        }
    }

    /// What it is called in sentences.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::OnnxruntimeOneThread => "ONNX Runtime with one thread",
            Self::OnnxruntimeAllThreads => "ONNX Runtime with all threads",
            Self::Libtorch => "libtorch",
        }
    }

    /// Of what was measured of a network, that which a budget of this kind is about. One thread is all that some machines have.
    pub fn among<'a>(self, latencies: impl IntoIterator<Item = &'a Latency>) -> Option<&'a Latency> {
        let runtime = if self == Self::Libtorch { Runtime::Libtorch } else { Runtime::Onnxruntime };
        let of_runtime = latencies.into_iter().filter(|latency| latency.runtime == runtime);
        match self {
            Self::OnnxruntimeOneThread => of_runtime.into_iter().find(|latency| latency.threads == 1),
            Self::OnnxruntimeAllThreads | Self::Libtorch => of_runtime.max_by_key(|latency| latency.threads),
        }
    }
}

/// How long a network takes for one image, as a sum over what it does. No part is below 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LatencyModel {
    pub of: LatencyOf,
    /// Where the networks were measured.
    #[schema(examples("cpu"))]
    pub device: String,
    /// Threads that an operation was allowed to use.
    #[schema(minimum = 1)]
    pub threads: u32,
    /// Milliseconds of every network.
    #[schema(minimum = 0)]
    pub fixed: f64,
    /// Milliseconds for a million multiply-adds.
    #[schema(minimum = 0)]
    pub per_million_macs: f64,
    /// Milliseconds for a million numbers that operations write.
    #[schema(minimum = 0)]
    pub per_million_activations: f64,
    /// Milliseconds for a million parameters.
    #[schema(minimum = 0)]
    pub per_million_parameters: f64,
    /// Milliseconds of the full network, as measured.
    #[schema(minimum = 0)]
    pub full_milliseconds: f64,
    /// Networks that were measured, the full one among them.
    #[schema(minimum = 4)]
    pub networks: u32,
    /// Median of how far a network's latency is from what the model says of it when it is fitted to the others, as a part of the
    /// latency.
    #[schema(minimum = 0)]
    pub error: f64,
}

/// Fewer networks say nothing about how well a model of four parts fits.
pub const LEAST_NETWORKS: usize = 5;

impl LatencyModel {
    /// Fits a model to measured networks, the full one first: the rates, none below 0, with the least squares of the relative
    /// errors. `None` where there are fewer than five networks, or latencies that are none.
    pub fn fit(of: LatencyOf, measured: &[(Work, Latency)]) -> Option<Self> {
        let is_time = |latency: &Latency| latency.milliseconds.is_finite() && latency.milliseconds > 0.0;
        if measured.len() < LEAST_NETWORKS || !measured.iter().all(|(_, latency)| is_time(latency)) {
            return None;
        }
        let rows: Vec<Row> = measured.iter().map(|(work, latency)| Row::new(work, latency.milliseconds)).collect();
        let all: Vec<&Row> = rows.iter().collect();
        let [fixed, per_million_macs, per_million_activations, per_million_parameters] =
            least_squares(&all).map(rounded);
        let mut errors: Vec<f64> = (0..rows.len()).map(|left_out| error_without(&rows, left_out)).collect();
        errors.sort_by(f64::total_cmp);
        let full = &measured[0].1;
        Some(Self {
            of,
            device: full.device.clone(),
            threads: full.threads,
            fixed,
            per_million_macs,
            per_million_activations,
            per_million_parameters,
            full_milliseconds: rounded(full.milliseconds),
            networks: measured.len() as u32,
            error: (1e6 * errors[errors.len() / 2]).round() / 1e6,
        })
    }

    /// The rates that it comes to.
    pub fn rates(&self) -> Rates {
        // Milliseconds for a million are nanoseconds for one.
        Rates {
            fixed: 1e6 * self.fixed,
            mac: self.per_million_macs,
            activation: self.per_million_activations,
            parameter: self.per_million_parameters,
        }
    }
}

/// To nine digits, which is more than was measured, and which every reader of JSON reads as the same number.
fn rounded(number: f64) -> f64 {
    format!("{number:.8e}").parse().unwrap_or(number)
}

/// What a network does, and how long that takes.
struct Row {
    /// 1, and millions of multiply-adds, activations and parameters.
    work: [f64; 4],
    milliseconds: f64,
}

impl Row {
    fn new(work: &Work, milliseconds: f64) -> Self {
        let millions = |count: u64| count as f64 / 1e6;
        let work = [1.0, millions(work.macs), millions(work.activations), millions(work.parameters)];
        Self { work, milliseconds }
    }

    fn predicted(&self, rates: &[f64; 4]) -> f64 {
        self.work.iter().zip(rates).map(|(work, rate)| work * rate).sum()
    }
}

fn error_without(rows: &[Row], left_out: usize) -> f64 {
    let others: Vec<&Row> = (0..rows.len()).filter(|&row| row != left_out).map(|row| &rows[row]).collect();
    let row = &rows[left_out];
    (row.predicted(&least_squares(&others)) / row.milliseconds - 1.0).abs()
}

/// The rates from 0 on with the least squares of the relative errors. The squares are a convex function of four rates: with each
/// choice of those that are 0 the others follow from linear equations, and the best of the 15 choices is the answer.
fn least_squares(rows: &[&Row]) -> [f64; 4] {
    let squares = |rates: &[f64; 4]| -> f64 {
        rows.iter().map(|row| (row.predicted(rates) / row.milliseconds - 1.0).powi(2)).sum()
    };
    let choices = (1u32..16).filter_map(|choice| {
        let free: Vec<usize> = (0..4).filter(|part| choice & (1 << part) != 0).collect();
        let rates = solved(rows, &free)?;
        rates.iter().all(|&rate| rate >= 0.0).then_some(rates)
    });
    choices.min_by(|a, b| squares(a).total_cmp(&squares(b))).unwrap_or_default()
}

/// The rates where only some are free, from the normal equations by Gaussian elimination with pivots; `None` where the rows do
/// not tell the free ones apart.
fn solved(rows: &[&Row], free: &[usize]) -> Option<[f64; 4]> {
    let count = free.len();
    let relative = |row: &Row, part: usize| row.work[free[part]] / row.milliseconds;
    // Each unknown is scaled to about 1, or the pivots would compare millions with ones.
    let scale: Vec<f64> =
        (0..count).map(|part| rows.iter().map(|row| relative(row, part).powi(2)).sum::<f64>().sqrt()).collect();
    if scale.iter().any(|&scale| scale <= 0.0) {
        return None;
    }
    let column = |row: &Row, part: usize| relative(row, part) / scale[part];
    let mut equations: Vec<Vec<f64>> = (0..count)
        .map(|a| {
            let products = (0..count).map(|b| rows.iter().map(|row| column(row, a) * column(row, b)).sum());
            products.chain([rows.iter().map(|row| column(row, a)).sum()]).collect()
        })
        .collect();
    for pivot in 0..count {
        let largest =
            (pivot..count).max_by(|&a, &b| equations[a][pivot].abs().total_cmp(&equations[b][pivot].abs()))?;
        equations.swap(pivot, largest);
        if equations[pivot][pivot].abs() < 1e-9 {
            return None;
        }
        let row = equations[pivot].clone();
        for other in (0..count).filter(|&other| other != pivot) {
            let factor = equations[other][pivot] / row[pivot];
            equations[other].iter_mut().zip(&row).for_each(|(value, of_pivot)| *value -= factor * of_pivot);
        }
    }
    let mut rates = [0.0; 4];
    for (part, equation) in equations.iter().enumerate() {
        rates[free[part]] = equation[count] / equation[part] / scale[part];
    }
    Some(rates)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latency(milliseconds: f64) -> Latency {
        Latency {
            runtime: Runtime::Onnxruntime,
            device: "cpu".to_owned(),
            threads: 1,
            batch_size: 1,
            runs: 20,
            milliseconds,
            full_milliseconds: 9.0,
        }
    }

    /// Networks of several widths and shapes, and how long they take.
    fn measured(time: impl Fn(&Work) -> f64) -> Vec<(Work, Latency)> {
        let network = |(width, depth): (u64, u64)| {
            let work = Work {
                macs: 90_000 * width * width * depth,
                activations: 40_000 * width * (depth + 3),
                parameters: 700 * width * width * depth * depth,
            };
            (work, latency(time(&work)))
        };
        [(8, 4), (6, 4), (4, 4), (2, 4), (7, 2), (5, 3), (3, 2), (8, 1), (1, 3)].map(network).to_vec()
    }

    #[test]
    fn the_rates_of_networks_that_follow_some_are_found() {
        let truth = Rates { fixed: 50_000.0, mac: 0.02, activation: 0.7, parameter: 0.1 };
        let model = LatencyModel::fit(LatencyOf::Libtorch, &measured(|work| truth.time(work) / 1e6)).unwrap();
        let found = model.rates();
        for (found, truth) in [
            (found.fixed, truth.fixed),
            (found.mac, truth.mac),
            (found.activation, truth.activation),
            (found.parameter, truth.parameter),
        ] {
            assert!((found / truth - 1.0).abs() < 1e-6, "{model:?}");
        }
        assert!(model.error < 1e-6, "{}", model.error);
        assert_eq!((model.networks, model.threads), (9, 1));
        let stored = serde_json::to_string(&model).unwrap();
        assert_eq!(serde_json::from_str::<LatencyModel>(&stored).unwrap(), model);
    }

    #[test]
    fn no_rate_is_below_zero_whatever_was_measured() {
        let odd = measured(|work| 5.0 + work.macs as f64 / 1e8 - work.parameters as f64 / 1e6);
        let model = LatencyModel::fit(LatencyOf::Libtorch, &odd).unwrap();
        let Rates { fixed, mac, activation, parameter } = model.rates();
        assert!([fixed, mac, activation, parameter].into_iter().all(|rate| rate >= 0.0), "{model:?}");
        assert!(model.error > 0.01, "what does not fit is said to: {}", model.error);
    }

    #[test]
    fn networks_that_all_do_the_same_have_a_latency_all_the_same() {
        let same = vec![(Work { macs: 1_000_000, activations: 50_000, parameters: 9_000 }, latency(2.0)); 6];
        let model = LatencyModel::fit(LatencyOf::Libtorch, &same).unwrap();
        assert!((model.rates().time(&same[0].0) / 1e6 - 2.0).abs() < 1e-6, "{model:?}");
    }

    #[test]
    fn too_few_networks_and_times_that_are_none_make_no_model() {
        let few = measured(|_| 1.0)[..4].to_vec();
        assert_eq!(LatencyModel::fit(LatencyOf::Libtorch, &few), None);
        assert_eq!(LatencyModel::fit(LatencyOf::Libtorch, &measured(|_| f64::NAN)), None);
        assert_eq!(LatencyModel::fit(LatencyOf::Libtorch, &measured(|_| 0.0)), None);
    }

    #[test]
    fn a_setting_knows_what_it_is_about() {
        let all = Latency { threads: 2, ..latency(1.0) };
        let torch = Latency { runtime: Runtime::Libtorch, ..latency(1.0) };
        let [one_thread, all_threads, libtorch] = LatencyOf::ALL;
        let measured = [latency(1.0), all.clone(), torch.clone()];
        assert_eq!(one_thread.among(&measured), Some(&measured[0]));
        assert_eq!(all_threads.among(&measured), Some(&all));
        assert_eq!(libtorch.among(&measured), Some(&torch));
        assert_eq!(all_threads.among(&measured[..1]), Some(&measured[0]), "a machine with one core");
        assert_eq!((one_thread.among([&all]), libtorch.among([&all])), (None, None));
        for of in LatencyOf::ALL {
            assert_eq!(serde_json::to_value(of).unwrap(), of.name());
        }
    }
}
