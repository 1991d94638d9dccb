//! What a process that opens a stranger's file may do.
//!
//! The process that wants a file opened starts a child with [`confined`]; the child calls [`enter`] before it reads the
//! first byte of the file, and from then on has nothing but its memory, that file and its own folder for temporary files.
//! [`Scratch`] is the folder for temporary files of the process that asks, and [`exit`] is how the child says what came of it.

mod access;
mod confined;
mod enter;
mod error;
pub mod exit;
mod limits;
mod lock;
#[cfg(target_os = "linux")]
mod paths;
mod place;
mod scratch;
mod support;
#[cfg(target_os = "linux")]
mod system_calls;

pub use access::Access;
pub use confined::{Allowance, confined};
pub use enter::enter;
pub use error::SandboxError;
pub use limits::limit;
pub use lock::support;
pub use place::place;
pub use scratch::Scratch;
pub use support::Support;
