//! What one candidate costs.

use std::fmt::Write as _;

use super::fixtures::{CALIBRATION, SCORING};

/// The mean of the candidates of one run, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Costs {
    /// Drawing strategies and cutting the channels out, of networks that are thrown away, too.
    pub pruning: f64,
    pub adapting: f64,
    pub scoring: f64,
    /// All of it.
    pub seconds: f64,
    /// Networks that were pruned for one that was evaluated.
    pub draws: f64,
    /// Multiply-adds of one image.
    pub macs: f64,
    /// The most memory that the process held, in MB.
    pub mb: f64,
}

impl Costs {
    pub fn images_per_second(&self) -> f64 {
        (CALIBRATION + SCORING) as f64 / (self.adapting + self.scoring)
    }

    pub fn macs_per_second(&self) -> f64 {
        self.macs * self.images_per_second()
    }

    /// The median of each.
    pub fn median(runs: &[Self]) -> Self {
        let of = |part: fn(&Self) -> f64| median(runs.iter().map(part).collect());
        Self {
            pruning: of(|run| run.pruning),
            adapting: of(|run| run.adapting),
            scoring: of(|run| run.scoring),
            seconds: of(|run| run.seconds),
            draws: of(|run| run.draws),
            macs: of(|run| run.macs),
            mb: of(|run| run.mb),
        }
    }
}

/// The middle one; of an even number the upper of the two. No number where there are none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// EagleEye in `float32` and in `bfloat16`, and the peer, line by line, with ratios to the peer. `peak` is how many multiply-adds a matrix
/// product does in a second.
pub fn table([ours, half, peer]: &[Costs; 3], peak: f64) -> String {
    let mut table = "| one candidate | EagleEye, float32 | bfloat16 | peer | ratio, float32 | bfloat16 |\n|---|---|---|---|---|---|\n".to_owned();
    let mut row = |what: &str, part: &dyn Fn(&Costs) -> f64, digits: usize| {
        let (a, b, c) = (part(ours), part(half), part(peer));
        let ratio = |of: f64| if of / c < 0.01 { format!("{:.5}", of / c) } else { format!("{:.3}", of / c) };
        // Writing to a string cannot fail.
        let _ =
            writeln!(table, "| {what} | {a:.digits$} | {b:.digits$} | {c:.digits$} | {} | {} |", ratio(a), ratio(b));
    };
    row("seconds", &|costs| costs.seconds, 3);
    row("drawing and pruning, s", &|costs| costs.pruning, 4);
    row("adapting the statistics, s", &|costs| costs.adapting, 3);
    row("scoring, s", &|costs| costs.scoring, 3);
    row("networks pruned for one that is evaluated", &|costs| costs.draws, 1);
    row("images a second, adapting and scoring", &Costs::images_per_second, 0);
    row("multiply-adds a second, % of a matrix product's", &|costs| 100.0 * costs.macs_per_second() / peak, 1);
    row("peak memory of the process, MB", &|costs| costs.mb, 0);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(seconds: f64) -> Costs {
        Costs { pruning: 0.01, adapting: 0.4, scoring: 1.64 - 0.4, seconds, draws: 1.0, macs: 2e6, mb: 300.0 }
    }

    #[test]
    fn medians_are_those_of_each_part() {
        let runs = [costs(3.0), Costs { mb: 100.0, ..costs(1.0) }, Costs { mb: 200.0, ..costs(2.0) }];
        assert_eq!(Costs::median(&runs), Costs { mb: 200.0, ..costs(2.0) });
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn speed_is_that_of_adapting_and_scoring() {
        assert!((costs(1.0).images_per_second() - 5000.0).abs() < 1e-6);
        assert!((costs(1.0).macs_per_second() - 1e10).abs() < 1.0);
    }

    #[test]
    fn the_table_has_both_sides_and_their_ratio() {
        let table = table(&[costs(1.0), costs(0.6), Costs { draws: 12.5, ..costs(4.0) }], 4e10);
        assert!(table.contains("| seconds | 1.000 | 0.600 | 4.000 | 0.250 | 0.150 |\n"), "{table}");
        assert!(
            table.contains("| networks pruned for one that is evaluated | 1.0 | 1.0 | 12.5 | 0.080 | 0.080 |\n"),
            "{table}"
        );
        assert!(table.contains("% of a matrix product's | 25.0 | 25.0 | 25.0 | 1.000 | 1.000 |\n"), "{table}");
    }
}
