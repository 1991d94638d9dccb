//! Seconds until there is a winner as good as the peer's best.

use anyhow::Result;

use super::Setting;
use super::ours::{Won, search};
use super::peer::Found;
use crate::bench::missed::Missed;
use crate::project::say;

/// Candidates of the peer's search.
const PEERS: u32 = 24;
/// Candidates of our searches, until one is as good; the last is a search's default.
const OURS: [u32; 4] = [6, 12, 24, 48];
/// Most seconds, of the peer's.
const LIMIT: f64 = 0.15;

pub const HEAD: &str =
    "| network | | candidates | seconds | of the peer's | top-1 | 95% interval |\n|---|---|---|---|---|---|---|\n";

/// The peer's search, and ours by their candidates.
pub struct Race {
    network: &'static str,
    peer: Found,
    ours: Vec<(u32, Won)>,
}

/// Searches with the peer, and then with ever more candidates of ours.
pub fn measure(setting: &Setting, network: &'static str) -> Result<Race> {
    say("bench", format!("{network}, the best of {PEERS}"));
    let peer = setting.peer.search(setting, network, PEERS, 0)?.found;
    let mut race = Race { network, peer, ours: Vec::new() };
    for candidates in OURS {
        say("bench", format!("{network}, {candidates} candidates"));
        race.ours.push((candidates, search(setting, network, candidates)?));
        if race.as_good().is_some() {
            break;
        }
    }
    Ok(race)
}

impl Race {
    /// The first search whose winner is as good as the peer's.
    fn as_good(&self) -> Option<&Won> {
        self.ours.iter().map(|(_, won)| won).find(|won| won.top1 >= self.peer.best)
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
        for (candidates, Won { seconds, top1, low, high }) in ours {
            let ratio = seconds / peer.seconds;
            rows += &format!(
                "| {network} | EagleEye | {candidates} | {seconds:.1} | {ratio:.3} | {top1:.4} | {low:.4} to {high:.4} |\n"
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
        let ours = ours.iter().map(|(candidates, seconds, top1)| (*candidates, won(*seconds, *top1))).collect();
        Race { network: "resnet20", peer: serde_json::from_value(peer).unwrap(), ours }
    }

    fn check(race: &Race) -> Result<()> {
        let mut missed = Missed::default();
        race.check(&mut missed);
        missed.into_result()
    }

    #[test]
    fn the_first_that_is_as_good_counts() {
        let race = race(&[(6, 4.0, 0.90), (12, 8.0, 0.91)]);
        assert_eq!(race.as_good().unwrap().seconds, 8.0);
        check(&race).unwrap();
        let rows = race.rows();
        assert!(rows.starts_with("| resnet20 | peer | 24 | 80.0 | | 0.9100 | |\n"), "{rows}");
        assert!(rows.ends_with("| resnet20 | EagleEye | 12 | 8.0 | 0.100 | 0.9100 | 0.9030 to 0.9170 |\n"), "{rows}");
    }

    #[test]
    fn late_or_never_misses_the_limit() {
        assert!(check(&race(&[(6, 20.0, 0.92)])).unwrap_err().to_string().contains("0.25, and the limit is 0.15"));
        assert!(check(&race(&[(6, 4.0, 0.90)])).unwrap_err().to_string().contains("no search was as good"));
    }
}
