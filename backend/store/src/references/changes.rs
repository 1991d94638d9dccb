//! What has changed at a location since it was listed.

use std::cmp::Ordering;
use std::fmt;
use std::iter::Peekable;

/// The first file, by name, that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Empty where the location is the file itself.
    name: String,
    kind: &'static str,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.is_empty() {
            true => write!(f, "the file {}", self.kind),
            false => write!(f, "`{}` {}", self.name, self.kind),
        }
    }
}

/// The first difference between two listings, the older one first; `None` where there is none, or one is no listing.
pub fn first_change(before: &str, now: &str) -> Option<Change> {
    let (mut before, mut now) = (files(before), files(now));
    loop {
        let order = match (before.peek(), now.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(old), Some(new)) => old.name.cmp(new.name),
        };
        let change = |file: Option<File<'_>>, kind| Some(Change { name: file?.name.to_owned(), kind });
        match order {
            Ordering::Less => return change(before.next(), "is gone"),
            Ordering::Greater => return change(now.next(), "is new"),
            Ordering::Equal => {
                let (old, new) = (before.next()?, now.next()?);
                if old.state != new.state {
                    return change(Some(new), "was written to");
                }
            }
        }
    }
}

struct File<'a> {
    name: &'a str,
    /// Size and time.
    state: (&'a str, &'a str),
}

fn files(listing: &str) -> Peekable<impl Iterator<Item = File<'_>>> {
    let file = |line| {
        let mut parts = str::splitn(line, 3, ' ');
        Some(File { state: (parts.next()?, parts.next()?), name: parts.next()? })
    };
    listing.lines().skip(2).filter_map(file).peekable()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_that_differs_is_named() {
        let change = |before: &str, now: &str| {
            let listing = |files: &str| format!("head\n/data\n{files}");
            first_change(&listing(before), &listing(now)).map(|change| change.to_string())
        };
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(change("1 5 a\n2 5 b c\n", "1 5 a\n2 5 b c\n"), None);
        assert_eq!(change("1 5 a\n2 5 b c\n", "1 5 a\n2 6 b c\n"), said("`b c` was written to"));
        assert_eq!(change("1 5 a\n2 5 b\n", "2 5 b\n"), said("`a` is gone"));
        assert_eq!(change("1 5 a\n", "1 5 a\n2 5 b\n"), said("`b` is new"));
        assert_eq!(change("1 5 a\n3 5 c\n", "1 5 a\n2 5 b\n3 6 c\n"), said("`b` is new"));
        assert_eq!(change("1 5 \n", "2 5 \n"), said("the file was written to"));
        assert_eq!(first_change("damaged", "text"), None);
    }
}
