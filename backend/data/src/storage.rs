//! Bytes that can be read from any place by several threads at once, and copies of packed files with their bytes counted.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use crate::error::DataError;
use crate::limits::Limits;

const COPY_BYTES: usize = 1 << 18;

/// A file that is read by position, so that clones need no lock and no descriptor of their own.
#[derive(Clone, Debug)]
pub struct Storage {
    handle: Handle,
    length: u64,
}

#[derive(Clone, Debug)]
enum Handle {
    Open(Arc<File>),
    /// Opened for each read: a dataset may have more shards than a process may have files open.
    Closed(Arc<Path>),
}

impl Storage {
    pub fn open(part: &'static str, path: &Path) -> Result<Self, DataError> {
        let failed = |source| DataError::Open { part, path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        Ok(Self { handle: Handle::Open(Arc::new(file)), length })
    }

    /// The same file, which lies at `path`, without a descriptor between two reads.
    pub fn closed(self, path: &Path) -> Self {
        Self { handle: Handle::Closed(path.into()), ..self }
    }

    /// The same file with a descriptor that stays, for several reads.
    ///
    /// # Errors
    /// What opening it says, and another length than it had.
    pub fn opened(&self) -> io::Result<Self> {
        Ok(Self { handle: Handle::Open(self.file()?), length: self.length })
    }

    fn file(&self) -> io::Result<Arc<File>> {
        match &self.handle {
            Handle::Open(file) => Ok(Arc::clone(file)),
            Handle::Closed(path) => {
                let file = File::open(path)?;
                match file.metadata()?.len() == self.length {
                    true => Ok(Arc::new(file)),
                    false => Err(io::Error::other("it was written to meanwhile: its length is another")),
                }
            }
        }
    }

    pub fn length(&self) -> u64 {
        self.length
    }

    /// Fills `buffer` from `offset` on.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file()?.read_exact_at(buffer, offset)
    }

    /// The first `count` bytes, or fewer where the file is shorter.
    pub fn head(&self, count: usize) -> io::Result<Vec<u8>> {
        let mut head = Vec::new();
        self.reader().take(count as u64).read_to_end(&mut head)?;
        Ok(head)
    }

    pub fn reader(&self) -> StorageReader {
        self.reader_from(0)
    }

    /// A cursor that begins at `position`, which may lie behind the end.
    pub fn reader_from(&self, position: u64) -> StorageReader {
        StorageReader { storage: self.clone(), position }
    }

    /// Unpacks a gzip file into a temporary one that vanishes with the last clone.
    pub fn gunzip(&self, part: &'static str, budget: &mut Budget) -> Result<Self, DataError> {
        let packed = io::BufReader::with_capacity(COPY_BYTES, self.reader());
        Self::unpack(MultiGzDecoder::new(packed), part, budget, |source| DataError::Gzip { part, source })
    }

    /// Copies what `reader` gives into a temporary file that vanishes with the last clone, counting its bytes.
    pub fn unpack(
        mut reader: impl Read,
        part: &'static str,
        budget: &mut Budget,
        unreadable: impl Fn(io::Error) -> DataError,
    ) -> Result<Self, DataError> {
        let mut copy = Copy::new(part)?;
        let mut buffer = vec![0; COPY_BYTES];
        loop {
            let count = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(unreadable(error)),
            };
            copy.append(&buffer[..count], budget)?;
        }
        copy.finish()
    }
}

/// A temporary file that is written from its beginning to its end, with its bytes counted.
#[derive(Debug)]
pub struct Copy {
    /// What it holds, for messages.
    part: &'static str,
    file: BufWriter<File>,
    length: u64,
}

impl Copy {
    pub fn new(part: &'static str) -> Result<Self, DataError> {
        let file = tempfile::tempfile().map_err(|source| DataError::Temporary { part, source })?;
        Ok(Self { part, file: BufWriter::with_capacity(COPY_BYTES, file), length: 0 })
    }

    /// Writes `bytes` behind the others, and says where they begin.
    pub fn append(&mut self, bytes: &[u8], budget: &mut Budget) -> Result<u64, DataError> {
        budget.spend(bytes.len() as u64)?;
        self.file.write_all(bytes).map_err(|source| DataError::Temporary { part: self.part, source })?;
        let offset = self.length;
        self.length += bytes.len() as u64;
        Ok(offset)
    }

    /// The file as storage; it vanishes with the last clone.
    pub fn finish(self) -> Result<Storage, DataError> {
        let part = self.part;
        let unwritable = |error: io::IntoInnerError<_>| DataError::Temporary { part, source: error.into_error() };
        let file = self.file.into_inner().map_err(unwritable)?;
        Ok(Storage { handle: Handle::Open(Arc::new(file)), length: self.length })
    }
}

/// A cursor over a [`Storage`].
#[derive(Clone, Debug)]
pub struct StorageReader {
    storage: Storage,
    position: u64,
}

impl Read for StorageReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.storage.file()?.read_at(buffer, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for StorageReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => self.storage.length.checked_add_signed(offset),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

/// What may still be unpacked. Declared sizes are not believed: bytes are counted as they come.
#[derive(Debug)]
pub struct Budget {
    left: u64,
    limit: u64,
}

impl Budget {
    pub fn new(limits: &Limits) -> Self {
        Self { left: limits.unpacked_bytes, limit: limits.unpacked_bytes }
    }

    pub fn spend(&mut self, bytes: u64) -> Result<(), DataError> {
        match self.left.checked_sub(bytes) {
            Some(left) => self.left = left,
            None => return Err(DataError::UnpackedBytes { limit: self.limit }),
        }
        Ok(())
    }
}
