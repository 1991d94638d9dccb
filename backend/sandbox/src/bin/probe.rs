//! Tries what the sandbox forbids, for the tests of this crate: `locked READABLE ATTEMPT ARGUMENT` enters it first,
//! `free - ATTEMPT ARGUMENT` does not, and `parent - ATTEMPT ARGUMENT` starts a child that enters it and waits for that.
//!
//! Exit code 0: the attempt succeeded; 3: it was refused, as standard output says; 1: the sandbox could not be entered.

use std::io::{self, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use eagleeye_sandbox::{Access, Allowance, Scratch, confined, enter};
use rustix::process::{Pid, Signal, kill_process};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, readable, attempt, argument] = &arguments[..] else { return ExitCode::from(64) };
    match mode.as_str() {
        "parent" => return answer(parent(attempt, argument)),
        "locked" => {
            let access = Access { read: vec![PathBuf::from(readable)], write: Vec::new() };
            match enter(&access) {
                Ok(support) => eprintln!("{support}"),
                Err(error) => {
                    eprintln!("{error}");
                    return ExitCode::FAILURE;
                }
            }
        }
        _ => {}
    }
    answer(try_to(attempt, argument))
}

fn answer(outcome: io::Result<String>) -> ExitCode {
    let (said, code) = match outcome {
        Ok(said) => (said, ExitCode::SUCCESS),
        Err(error) => (format!("{:?}: {error}", error.kind()), ExitCode::from(3)),
    };
    let mut out = io::stdout();
    let printed = writeln!(out, "{said}").and_then(|()| out.flush());
    if printed.is_ok() { code } else { ExitCode::from(64) }
}

/// Starts a child that waits, says which process it is, and waits for its end.
fn parent(attempt: &str, argument: &str) -> io::Result<String> {
    let scratch = Scratch::within(Path::new(argument))?;
    let allowance = Allowance { memory_bytes: 1 << 30, cpu: Duration::from_secs(60), file_bytes: 1 << 20 };
    let mut command = confined(std::env::current_exe()?, allowance, scratch.path());
    let mut child = command.args(["locked", "/", attempt, argument]).spawn()?;
    answer(Ok(child.id().to_string()));
    child.wait().map(|status| status.to_string())
}

fn try_to(attempt: &str, argument: &str) -> io::Result<String> {
    let done = |()| "done".to_owned();
    match attempt {
        "read" => std::fs::read_to_string(argument),
        "write" => std::fs::write(argument, "written").map(done),
        "temporary" => temporary(),
        "fill" => fill(argument),
        "tcp" => TcpStream::connect(argument).map(|_| "connected".to_owned()),
        "udp" => UdpSocket::bind(argument).map(|_| "bound".to_owned()),
        "unix" => UnixDatagram::unbound().map(|_| "made".to_owned()),
        "start" => Command::new(argument).status().map(|status| status.to_string()),
        "become" => Err(std::os::unix::process::CommandExt::exec(&mut Command::new(argument))),
        "signal" => kill_process(process(argument)?, Signal::CONT).map(done).map_err(io::Error::from),
        "shared-memory" => Ok(format!("{:?}", rustix::fs::memfd_create("probe", rustix::fs::MemfdFlags::CLOEXEC)?)),
        "raise-limit" => raise_limit().map(done),
        "variables" => Ok(std::env::vars().map(|(name, value)| format!("{name}={value}\n")).collect()),
        "descriptors" => Ok(descriptors()?.join(" ")),
        "threads" => threads(),
        "memory" => memory(argument),
        "compute" => compute(),
        "wait" => {
            std::thread::sleep(Duration::from_secs(600));
            Ok("waited".to_owned())
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "no such attempt")),
    }
}

/// Makes, changes, renames and removes files in the folder for temporary files.
fn temporary() -> io::Result<String> {
    let folder = tempfile::tempdir()?;
    let (file, other) = (folder.path().join("a"), folder.path().join("b"));
    std::fs::write(&file, "written")?;
    std::fs::rename(&file, &other)?;
    let mut unnamed = tempfile::tempfile()?;
    unnamed.write_all(b"written")?;
    let read = std::fs::read_to_string(&other)?;
    folder.close()?;
    Ok(read)
}

/// Writes a file of this many bytes into the folder for temporary files.
fn fill(argument: &str) -> io::Result<String> {
    let bytes: usize = argument.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    tempfile::tempfile()?.write_all(&vec![7; bytes])?;
    Ok("written".to_owned())
}

fn process(argument: &str) -> io::Result<Pid> {
    let id = argument.parse().ok().and_then(Pid::from_raw);
    id.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))
}

fn raise_limit() -> io::Result<()> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    Ok(setrlimit(Resource::Nofile, getrlimit(Resource::Nofile))?)
}

/// Open descriptors beyond standard error, the listing's own left out.
fn descriptors() -> io::Result<Vec<String>> {
    let names = std::fs::read_dir("/proc/self/fd")?;
    let names: Vec<String> = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    Ok(names
        .into_iter()
        .filter(|name| std::fs::read_link(format!("/proc/self/fd/{name}")).is_ok_and(is_file))
        .collect())
}

fn is_file(path: PathBuf) -> bool {
    path.is_file()
}

fn threads() -> io::Result<String> {
    let threads: Vec<_> = (0..4).map(|n| std::thread::spawn(move || n * n)).collect();
    let sum: u32 = threads.into_iter().filter_map(|thread| thread.join().ok()).sum();
    Ok(sum.to_string())
}

/// Takes this many bytes and writes to them.
fn memory(argument: &str) -> io::Result<String> {
    let bytes = argument.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut taken: Vec<u8> = Vec::new();
    taken.try_reserve_exact(bytes).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
    taken.resize(bytes, 7);
    Ok(taken.iter().map(|&byte| u64::from(byte)).sum::<u64>().to_string())
}

/// For at most ten seconds.
fn compute() -> io::Result<String> {
    let started = std::time::Instant::now();
    let mut value = 1u64;
    while started.elapsed() < Duration::from_secs(10) {
        value = std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
    Ok(value.to_string())
}
