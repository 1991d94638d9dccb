//! What a search costs beside the same search written with PyTorch and Torch-Pruning: candidate by candidate, and until there is a
//! winner as good.

mod costs;
mod fixtures;
mod ours;
mod peer;
mod precision;
mod rounds;
mod winner;

use std::path::Path;

use anyhow::Result;

use self::fixtures::{Fixtures, NETWORKS};
use self::peer::Peer;
use super::missed::Missed;
use super::{machine, page};

/// What is measured, and with what.
struct Setting<'a> {
    fixtures: &'a Fixtures,
    peer: &'a Peer,
    /// Threads of either side.
    threads: usize,
}

/// Measures every network in turns with the peer, and writes two sections of the page.
pub fn measure(shared: &Path, missed: &mut Missed) -> Result<()> {
    const COMMAND: &str = "search SHARED";
    let fixtures = Fixtures::in_folder(shared)?;
    let peer = Peer::ensure()?;
    let setting = Setting { fixtures: &fixtures, peer: &peer, threads: machine::cores()? };

    let mut libtorch = None;
    let mut tables = Vec::new();
    for network in NETWORKS {
        let measured = rounds::measure(&setting, network)?;
        measured.check(missed);
        tables.push(measured.table());
        libtorch = Some(measured.libtorch);
    }
    page::publish("search", COMMAND, libtorch.as_deref(), &tables.join("\n"))?;

    let mut table = winner::HEAD.to_owned();
    for network in NETWORKS {
        let race = winner::measure(&setting, network)?;
        race.check(missed);
        table += &race.rows();
    }
    page::publish("winner", COMMAND, libtorch.as_deref(), &table)
}

/// Holds candidates in bfloat16 against the same ones in float32.
pub fn compare_precisions(shared: &Path, missed: &mut Missed) -> Result<()> {
    precision::measure(&Fixtures::in_folder(shared)?, missed)
}
