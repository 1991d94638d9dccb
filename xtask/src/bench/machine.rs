//! Where and when something is measured, in words.

use std::fs;
use std::thread::available_parallelism;

use anyhow::{Context, Result};

use crate::project::{command, output};

/// The day (UTC) and the machine, and the version of libtorch where it is known.
pub fn described(libtorch: Option<&str>) -> Result<String> {
    let today = output(command("date").args(["-u", "+%F"]))?;
    let cores = cores()?;
    let libtorch = libtorch.map(|version| format!(", libtorch {version}")).unwrap_or_default();
    Ok(format!("{}, {}, {cores} cores{libtorch}", today.trim(), processor()?))
}

/// Those that this process may use.
pub fn cores() -> Result<usize> {
    Ok(available_parallelism().context("nobody says how many cores there are")?.get())
}

fn processor() -> Result<String> {
    let known = fs::read_to_string("/proc/cpuinfo").context("cannot read what the processor is")?;
    Ok(processor_in(&known).unwrap_or("a processor without a name").to_owned())
}

/// The name in what `/proc/cpuinfo` says; on some architectures it says none.
fn processor_in(known: &str) -> Option<&str> {
    let (_, name) = known.lines().find(|line| line.starts_with("model name"))?.split_once(':')?;
    Some(name.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_has_the_name_that_the_kernel_gives_it() {
        let known = "processor\t: 0\nmodel\t\t: 1\nmodel name\t: AMD EPYC 9654\nflags\t\t: fpu\n";
        assert_eq!(processor_in(known), Some("AMD EPYC 9654"));
        assert_eq!(processor_in("processor\t: 0\nBogoMIPS\t: 50.00\n"), None);
    }
}
