//! Seconds until there is a winner as good as the peer's best.

use anyhow::Result;

use super::Setting;
use super::ours::{Won, search};
use super::peer::Found;
use crate::bench::missed::Missed;
use crate::project::say;

/// Candidates of the peer's search.
const PEERS: u32 = 24;
/// A way to search, with ever more candidates until a winner is as good as the peer's.
struct Way {
    name: &'static str,
    options: &'static [&'static str],
    candidates: &'static [u32],
}

/// What is not said is as a search does it when it is not asked for anything; 48 candidates are the default.
const WAYS: [Way; 3] = [
    Way { name: "default", options: &[], candidates: &[12, 24, 48] },
    Way { name: "bfloat16", options: &["--precision", "bfloat16"], candidates: &[12, 24, 48] },
    Way {
        name: "bfloat16, any count, by activations",
        options: &["--precision", "bfloat16", "--round-to", "1", "--importance", "activation"],
        candidates: &[12, 24],
    },
];

/// Most seconds, of the peer's.
const LIMIT: f64 = 0.15;

pub const HEAD: &str = "| network | search | candidates | seconds | of the peer's | top-1 | 95% interval |\n|---|---|---|---|---|---|---|\n";

/// The peer's search, and ours by their way and their candidates.
pub struct Race {
    network: &'static str,
    peer: Found,
    ours: Vec<(&'static str, u32, Won)>,
}

/// Searches with the peer, and then in each way with ever more candidates.
pub fn measure(setting: &Setting, network: &'static str) -> Result<Race> {
    say("bench", format!("{network}, the best of {PEERS}"));
    let peer = setting.peer.search(setting, network, PEERS, 0)?.found;
    let mut race = Race { network, peer, ours: Vec::new() };
    for Way { name, options, candidates } in WAYS {
        for &candidates in candidates {
            say("bench", format!("{network}, {name}, {candidates} candidates"));
            let won = search(setting, network, candidates, options)?;
            let is_as_good = race.is_as_good(&won);
            race.ours.push((name, candidates, won));
            if is_as_good {
                break;
            }
        }
    }
    Ok(race)
}

impl Race {
    fn is_as_good(&self, won: &Won) -> bool {
        won.top1 >= self.peer.best
    }

    /// The fastest search whose winner is as good as the peer's.
    fn as_good(&self) -> Option<&Won> {
        let as_good = self.ours.iter().map(|(_, _, won)| won).filter(|won| self.is_as_good(won));
        as_good.min_by(|a, b| a.seconds.total_cmp(&b.seconds))
    }

    pub fn check(&self, missed: &mut Missed) {
        let network = self.network;
        match self.as_good() {
            Some(won) => {
                let what = format_args!("{network}, a winner's part of the peer's seconds");
                missed.at_most(LIMIT, won.seconds / self.peer.seconds, what);
            }
            None => missed.note(format!("{network}: no search was as good as the peer's best of {PEERS}")),
        }
    }

    pub fn rows(&self) -> String {
        let Self { network, peer, ours } = self;
        let mut rows = format!("| {network} | peer | {PEERS} | {:.1} | | {:.4} | |\n", peer.seconds, peer.best);
        for (name, candidates, Won { seconds, top1, low, high }) in ours {
            let ratio = seconds / peer.seconds;
            rows += &format!(
                "| {network} | {name} | {candidates} | {seconds:.1} | {ratio:.3} | {top1:.4} | {low:.4} to {high:.4} |\n"
            );
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn race(ours: &[(u32, f64, f64)]) -> Race {
        let peer = json!({
            "candidates": 24, "draws": 90, "seconds": 80.0, "prune_s": 1, "adapt_s": 1, "score_s": 1, "best": 0.91, "scores": [],
        });
        let won = |seconds, top1| Won { seconds, top1, low: top1 - 0.007, high: top1 + 0.007 };
        let ours =
            ours.iter().map(|(candidates, seconds, top1)| ("default", *candidates, won(*seconds, *top1))).collect();
        Race { network: "resnet20", peer: serde_json::from_value(peer).unwrap(), ours }
    }

    fn check(race: &Race) -> Result<()> {
        let mut missed = Missed::default();
        race.check(&mut missed);
        missed.into_result()
    }

    #[test]
    fn the_fastest_that_is_as_good_counts() {
        let race = race(&[(6, 4.0, 0.90), (24, 9.0, 0.92), (12, 8.0, 0.91)]);
        assert_eq!(race.as_good().unwrap().seconds, 8.0);
        check(&race).unwrap();
        let rows = race.rows();
        assert!(rows.starts_with("| resnet20 | peer | 24 | 80.0 | | 0.9100 | |\n"), "{rows}");
        assert!(rows.ends_with("| resnet20 | default | 12 | 8.0 | 0.100 | 0.9100 | 0.9030 to 0.9170 |\n"), "{rows}");
    }

    #[test]
    fn late_or_never_misses_the_limit() {
        assert!(check(&race(&[(6, 20.0, 0.92)])).unwrap_err().to_string().contains("0.25, and the limit is 0.15"));
        assert!(check(&race(&[(6, 4.0, 0.90)])).unwrap_err().to_string().contains("no search was as good"));
    }
}
