//! How the crate `parquet` reads a [`Storage`].

use std::io::BufReader;

use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;

use crate::storage::{Storage, StorageReader};

#[derive(Debug)]
pub struct Source(pub Storage);

impl Length for Source {
    fn len(&self) -> u64 {
        self.0.length()
    }
}

impl ChunkReader for Source {
    type T = BufReader<StorageReader>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(self.0.reader_from(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // Nothing is allocated for bytes that are not there.
        if start.checked_add(length as u64).is_none_or(|end| end > self.0.length()) {
            return Err(ParquetError::EOF(format!("it ends before the {length} bytes at {start}")));
        }
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, start)?;
        Ok(bytes.into())
    }
}
