//! Second names for files, under which a child finds them.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Gives a file a second name of the same rank, on which no importer sees that it leads out of a folder. Where the two are
/// on different disks, the file is linked to if it `may_be_link`, and else copied.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] where there is something of this name, and whatever the disk says.
pub fn place(file: &Path, name: &Path, may_be_link: bool) -> io::Result<()> {
    match std::fs::hard_link(file, name) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Err(_) if may_be_link => std::os::unix::fs::symlink(file, name),
        Err(_) => {
            let mut copy = File::create_new(name)?;
            io::copy(&mut File::open(file)?, &mut copy).map(drop)
        }
        Ok(()) => Ok(()),
    }
}
