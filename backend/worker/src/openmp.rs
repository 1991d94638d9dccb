//! How libtorch's threads wait for each other.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

const WAIT_POLICY: &str = "OMP_WAIT_POLICY";

/// Makes threads that wait sleep instead of spin, unless the environment says otherwise already.
///
/// Spinning threads take the cores from those that they wait for as soon as anything else runs on the machine, be it the check
/// of an upload: a search beside a busy program was measured to take five times as long, and to gain a quarter alone on an
/// idle machine. libgomp reads its settings when it is loaded, which is before `main`, so this program begins anew with them,
/// as the same process.
///
/// # Errors
/// Where this program cannot be found again; it may then go on as it is.
pub fn wait_asleep() -> io::Result<()> {
    if std::env::var_os(WAIT_POLICY).is_some() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| OsStr::new("eagleeye-worker").to_owned());
    let mut again = Command::new(std::env::current_exe()?);
    Err(again.arg0(name).args(arguments).env(WAIT_POLICY, "PASSIVE").exec())
}
