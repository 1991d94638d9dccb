//! Dataset files from outside: what is read from sound ones, and how each unsound one is refused.

mod archives;
mod hostile;
mod idx;
mod limits;
mod npz;
mod preprocessing;
mod splitting;
mod support;
mod thumbnails;
