//! What libraries read from the environment before `main`, and how this program wants it.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Names and values of the settings.
const SETTINGS: [(&str, &str); 5] = [
    // libgomp: threads that wait sleep instead of spin. Spinning threads take the cores from those that they wait for as soon
    // as anything else runs on the machine, be it the check of an upload: a search beside a busy program was measured to take
    // five times as long, and to gain a quarter alone on an idle machine.
    ("OMP_WAIT_POLICY", "PASSIVE"),
    // But for some microseconds, about as long as threads of a small layer wait for each other: waking them takes longer. Adapting
    // and scoring MobileNetV1's candidates took 15% less time so on an idle machine.
    ("GOMP_SPINCOUNT", "1000"),
    // glibc: memory of activations stays with the process between two layers. Given back and taken anew it is zeroed by the
    // kernel each time, page by page: fine-tuning MobileNetV1 was measured to process 331 images a second so, and 409 with the
    // memory kept; the largest size of the process is the same.
    ("MALLOC_MMAP_THRESHOLD_", "4294967296"),
    ("MALLOC_TRIM_THRESHOLD_", "8589934592"),
    ("MALLOC_TOP_PAD_", "268435456"),
];

/// Gives this process the settings that its environment says nothing about. They are read when the libraries are loaded, so the
/// program begins anew with them, as the same process.
///
/// # Errors
/// Where this program cannot be found again; it may then go on as it is.
pub fn settle() -> io::Result<()> {
    let missing: Vec<_> = SETTINGS.into_iter().filter(|(name, _)| std::env::var_os(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| OsStr::new("eagleeye-worker").to_owned());
    let mut again = Command::new(std::env::current_exe()?);
    Err(again.arg0(name).args(arguments).envs(missing).exec())
}
