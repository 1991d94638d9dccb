//! Decoded images on this machine's disk, so that the jobs of one dataset decode them once: a search, its exports and fine-tunings, and
//! other searches with the same input size. It is a convenience: whatever is wrong with it, images are decoded again.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use eagleeye_data::{PixelFile, PixelFileError, Preprocess, SampleType};
use eagleeye_store::FileHash;

/// Decoded images that are kept where nobody says how many: 130,000 of 224x224 in colour.
pub const DEFAULT_IMAGE_BYTES: u64 = 20_000_000_000;

/// Ending of the files.
const ENDING: &str = "pixels";

/// Of the disk, so much stays free.
const FREE_BYTES: u64 = 1 << 30;

/// Where decoded images are kept, and how many bytes of them.
#[derive(Debug, Clone)]
pub struct ImageCache {
    pub folder: PathBuf,
    /// 0: none.
    pub bytes: u64,
}

/// What decoded images are of.
#[derive(Debug, Clone, Copy)]
pub struct Decoded<'a> {
    pub dataset: &'a FileHash,
    pub preprocess: &'a Preprocess,
    pub element: SampleType,
    /// Of the dataset.
    pub images: usize,
    /// That are needed.
    pub wanted: usize,
}

impl Decoded<'_> {
    fn bytes(&self) -> u64 {
        (self.wanted * self.preprocess.values() * self.element.bytes()) as u64
    }

    /// Depends on all that decoded images depend on, and not on what is done to their values afterwards.
    fn name(&self) -> String {
        let Preprocess { channels, height, width, resize, filter, order, .. } = self.preprocess;
        let geometry = format!("{channels} {height} {width} {resize:?} {filter:?} {order:?} {:?}", self.element);
        format!("{}.{ENDING}", blake3::hash(format!("{} {geometry}", self.dataset).as_bytes()).to_hex())
    }
}

impl ImageCache {
    /// The images that are there, in a file for more of them; none where there is no room, or another process has the file.
    pub fn take(&self, decoded: Decoded) -> Option<PixelFile> {
        if decoded.bytes() > self.bytes {
            return None;
        }
        match self.open(decoded) {
            Ok(file) => file,
            Err(error) => {
                tracing::warn!(%error, folder = %self.folder.display(), "decoded images are not kept");
                None
            }
        }
    }

    fn open(&self, decoded: Decoded) -> Result<Option<PixelFile>, PixelFileError> {
        fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(decoded.name());
        self.make_room(decoded.bytes(), &path)?;
        if free_bytes(&self.folder)? < decoded.bytes() + FREE_BYTES {
            return Ok(None);
        }
        let file = PixelFile::open(&path, decoded.element, decoded.preprocess.values(), decoded.images)?;
        if file.is_some() {
            File::options().write(true).open(&path)?.set_modified(SystemTime::now())?;
        }
        Ok(file)
    }

    /// Removes the files that were not used for longest, until there is room for `bytes` more. Whoever reads one keeps it until he
    /// closes it.
    fn make_room(&self, bytes: u64, but: &Path) -> io::Result<()> {
        let mut kept = self.files()?;
        kept.sort_by_key(|(used, ..)| *used);
        let mut all: u64 = kept.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in kept.iter().filter(|(.., path)| path != but) {
            if all + bytes <= self.bytes {
                break;
            }
            fs::remove_file(path)?;
            all -= size;
        }
        Ok(())
    }

    /// When each file was used, what it takes on the disk, and where it is.
    fn files(&self) -> io::Result<Vec<(SystemTime, u64, PathBuf)>> {
        use std::os::unix::fs::MetadataExt;
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == ENDING) {
                let metadata = fs::metadata(&path)?;
                // In units of 512 bytes, whatever the file system's own blocks are (stat(2)).
                found.push((metadata.modified()?, metadata.blocks() * 512, path));
            }
        }
        Ok(found)
    }
}

fn free_bytes(folder: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(found.f_bavail * found.f_frsize)
}

#[cfg(test)]
mod tests {
    use eagleeye_data::Samples;

    use super::*;

    fn preprocess(side: usize) -> Preprocess {
        let preprocessing = serde_json::json!({ "mean": [0], "deviation": [1] });
        crate::convert::preprocess(&serde_json::from_value(preprocessing).unwrap(), 1, side, side)
    }

    fn hash(text: &str) -> FileHash {
        blake3::hash(text.as_bytes()).into()
    }

    fn decoded<'a>(dataset: &'a FileHash, preprocess: &'a Preprocess) -> Decoded<'a> {
        Decoded { dataset, preprocess, element: SampleType::U8, images: 4, wanted: 4 }
    }

    #[test]
    fn images_are_found_again_by_what_they_are_of() {
        let folder = tempfile::tempdir().unwrap();
        let cache = ImageCache { folder: folder.path().join("images"), bytes: 1 << 20 };
        let (one, other, small) = (hash("one"), hash("other"), preprocess(64));
        let file = cache.take(decoded(&one, &small)).unwrap();
        file.write(&[3], &Samples::U8(vec![7; 4096])).unwrap();
        assert!(cache.take(decoded(&one, &small)).is_none(), "another has it");
        drop(file);
        assert!(cache.take(decoded(&one, &small)).unwrap().has(3).unwrap());
        let normalised = Preprocess { mean: vec![0.5], ..small.clone() };
        assert!(cache.take(decoded(&one, &normalised)).unwrap().has(3).unwrap());
        assert!(!cache.take(decoded(&other, &small)).unwrap().has(3).unwrap());
        assert!(!cache.take(decoded(&one, &preprocess(32))).unwrap().has(3).unwrap());
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let cache = ImageCache { folder: folder.path().to_owned(), bytes: 40_000 };
        let (hashes, preprocess) = (["a", "b", "c"].map(hash), preprocess(64));
        for (age, hash) in hashes.iter().enumerate().map(|(place, hash)| (100 - place as u64, hash)) {
            let file = cache.take(decoded(hash, &preprocess)).unwrap();
            file.write(&[0, 1, 2, 3], &Samples::U8(vec![7; 4 * 4096])).unwrap();
            let path = folder.path().join(decoded(hash, &preprocess).name());
            let used = SystemTime::now() - std::time::Duration::from_secs(age);
            File::options().write(true).open(path).unwrap().set_modified(used).unwrap();
        }
        let names: Vec<bool> =
            hashes.iter().map(|hash| folder.path().join(decoded(hash, &preprocess).name()).exists()).collect();
        assert_eq!(names, [false, true, true]);
        let none = ImageCache { bytes: 0, ..cache };
        assert!(none.take(decoded(&hashes[0], &preprocess)).is_none());
    }
}
