//! Candidates one by one: the peer and EagleEye in turns, several times.

use anyhow::{Context, Result};

use super::Setting;
use super::costs::{Costs, median, table};
use super::ours::time_candidates;
use crate::bench::missed::Missed;
use crate::project::say;

const ROUNDS: u32 = 3;
/// Candidates of a round. The peer's take longer, and the first of ours pays for what is prepared once.
const OURS: u32 = 6;
const PEERS: u32 = 4;

/// Most seconds of a candidate, of the peer's.
const LIMIT: f64 = 0.5;
/// Most milliseconds for drawing and pruning.
const PRUNING_MS: f64 = 20.0;

/// What was measured of a network.
pub struct Rounds {
    network: &'static str,
    pub libtorch: String,
    ours: Vec<Costs>,
    /// In `bfloat16`.
    half: Vec<Costs>,
    peer: Vec<Costs>,
    peak_macs: Vec<f64>,
}

/// Measures the peer and then EagleEye in each round, with the round as their seed.
pub fn measure(setting: &Setting, network: &'static str) -> Result<Rounds> {
    let (mut ours, mut half, mut peer) = (Vec::new(), Vec::new(), Vec::new());
    let (mut peak_macs, mut libtorch) = (Vec::new(), None);
    for round in 0..ROUNDS {
        say("bench", format!("{network}, round {} of {ROUNDS}", round + 1));
        peer.push(setting.peer.search(setting, network, PEERS, round)?.costs());
        let (timed, costs) = time_candidates(setting, network, OURS, round, "float32")?;
        ours.push(costs);
        half.push(time_candidates(setting, network, OURS, round, "bfloat16")?.1);
        peak_macs.push(timed.peak_macs);
        libtorch = Some(timed.libtorch);
    }
    Ok(Rounds { network, libtorch: libtorch.context("there was no round")?, ours, half, peer, peak_macs })
}

impl Rounds {
    pub fn check(&self, missed: &mut Missed) {
        let [ours, half, peer] = [&self.ours, &self.half, &self.peer].map(|costs| Costs::median(costs));
        let network = self.network;
        missed.at_most(
            LIMIT,
            ours.seconds.min(half.seconds) / peer.seconds,
            format_args!("{network}, a candidate's part of the peer's seconds"),
        );
        missed.at_most(
            PRUNING_MS,
            1000.0 * ours.pruning,
            format_args!("{network}, milliseconds of drawing and pruning"),
        );
    }

    pub fn table(&self) -> String {
        let medians = [&self.ours, &self.half, &self.peer].map(|costs| Costs::median(costs));
        let table = table(&medians, median(self.peak_macs.clone()));
        let rounds = self.ours.iter().zip(&self.half).zip(&self.peer);
        let rounds: Vec<String> = rounds
            .map(|((ours, half), peer)| format!("{:.3}, {:.3} and {:.3}", ours.seconds, half.seconds, peer.seconds))
            .collect();
        let peak = median(self.peak_macs.clone()) / 1e9;
        format!(
            "**{}**, medians of {ROUNDS} rounds of {OURS} candidates against {PEERS} of the peer's:\n\n{table}\n\
             Seconds of a candidate in each round, EagleEye's in float32 and bfloat16 and the peer's: {}. A matrix product in float32 \
             does {peak:.1} G multiply-adds a second.\n",
            self.network,
            rounds.join("; "),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(seconds: f64, pruning: f64) -> Rounds {
        let costs = |seconds| Costs { pruning, adapting: 0.5, scoring: 0.5, seconds, draws: 1.0, macs: 1e6, mb: 300.0 };
        let (ours, half, peer) = (vec![costs(seconds + 0.2); 3], vec![costs(seconds); 3], vec![costs(4.0); 3]);
        Rounds { network: "resnet20", libtorch: "2.13.0".to_owned(), ours, half, peer, peak_macs: vec![5e10; 3] }
    }

    #[test]
    fn a_limit_that_is_missed_is_named() {
        let mut missed = Missed::default();
        rounds(1.9, 0.004).check(&mut missed);
        assert!(missed.into_result().is_ok());
        let mut missed = Missed::default();
        rounds(2.4, 0.021).check(&mut missed);
        let message = missed.into_result().unwrap_err().to_string();
        assert!(message.contains("peer's seconds: 0.60, and the limit is 0.5"), "{message}");
        assert!(message.contains("drawing and pruning: 21.00, and the limit is 20"), "{message}");
    }

    #[test]
    fn the_table_tells_each_round() {
        let table = rounds(1.0, 0.004).table();
        assert!(table.contains("1.200, 1.000 and 4.000; 1.200, 1.000 and 4.000; 1.200, 1.000 and 4.000"), "{table}");
        assert!(table.contains("does 50.0 G multiply-adds"), "{table}");
    }
}
