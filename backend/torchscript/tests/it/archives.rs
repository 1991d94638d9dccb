//! Small TorchScript files, taken apart, changed and packed again; and what reading them may cost.

use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use eagleeye_torchscript::read;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// A file of one network, whatever it is made of, is answered within this time. The slowest take some seconds.
const TIME: Duration = Duration::from_secs(60);
/// Kilobytes of memory that all reading in one process takes at most.
const MEMORY: u64 = 6 << 20;

/// The code of the network itself.
pub const CODE: &str = "net/code/__torch__.py";
pub const PICKLE: &str = "net/data.pkl";

/// The entries of a TorchScript file.
#[derive(Clone)]
pub struct Archive {
    pub entries: Vec<(String, Vec<u8>)>,
}

impl Archive {
    /// One of the seeds of the fuzz target: loops, branches and lists over two convolutions, `N,3,8,8`.
    pub fn controlled() -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/torchscript/controlled_scripted.pt");
        let mut archive = ZipArchive::new(Cursor::new(fs::read(path).unwrap())).unwrap();
        let entries = (0..archive.len()).map(|index| {
            let mut entry = archive.by_index(index).unwrap();
            let name = entry.name().unwrap().to_string();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            (name, content)
        });
        Self { entries: entries.collect() }
    }

    /// Replaces the only place of some bytes in an entry.
    pub fn edited(mut self, name: &str, from: &[u8], to: &[u8]) -> Self {
        let content = &mut self.entries.iter_mut().find(|(n, _)| n == name).unwrap().1;
        let places: Vec<usize> = (0..content.len()).filter(|&i| content[i..].starts_with(from)).collect();
        assert_eq!(places.len(), 1, "{} in {name}", String::from_utf8_lossy(from));
        content.splice(places[0]..places[0] + from.len(), to.iter().copied());
        self
    }

    /// Writes statements into the beginning of `forward`. Its input is `x`.
    pub fn with_statements(self, lines: &[&str]) -> Self {
        let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
        self.edited(CODE, b"    layers = self.layers\n", format!("{lines}    layers = self.layers\n").as_bytes())
    }

    /// Adds functions behind the network's class.
    pub fn with_functions(mut self, text: &str) -> Self {
        self.entries.iter_mut().find(|(name, _)| name == CODE).unwrap().1.extend(text.bytes());
        self
    }

    pub fn with_entry(mut self, name: &str, content: &[u8]) -> Self {
        self.entries.push((name.to_owned(), content.to_vec()));
        self
    }

    pub fn packed(&self) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, content) in &self.entries {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    pub fn refusal(&self) -> String {
        refusal(&self.packed())
    }
}

/// What loading these bytes says, empty where they load; in bounded time and memory.
pub fn refusal(bytes: &[u8]) -> String {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let start = Instant::now();
    let outcome = read(file.path(), Some(&[1, 3, 8, 8]));
    assert!(start.elapsed() < TIME, "{:?}", start.elapsed());
    assert!(peak_memory() < MEMORY, "{} kB", peak_memory());
    outcome.err().map(|error| error.to_string()).unwrap_or_default()
}

/// Kilobytes that the process has had at most.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
