//! Limits that were missed. They are told at the end, when everything is measured and written down.

use std::fmt::Display;

use anyhow::{Result, bail};

#[derive(Default)]
pub struct Missed(Vec<String>);

impl Missed {
    /// Notes a value that is larger than its limit, or no number.
    pub fn at_most(&mut self, limit: f64, value: f64, what: impl Display) {
        if value.is_nan() || value > limit {
            self.note(format!("{what}: {value:.2}, and the limit is {limit}"));
        }
    }

    /// Notes a value that is smaller than its limit, or no number.
    pub fn at_least(&mut self, limit: f64, value: f64, what: impl Display) {
        if value.is_nan() || value < limit {
            self.note(format!("{what}: {value:.2}, and the least is {limit}"));
        }
    }

    pub fn note(&mut self, what: String) {
        self.0.push(what);
    }

    /// An error that names all of them.
    pub fn into_result(self) -> Result<()> {
        if !self.0.is_empty() {
            bail!("limits were missed:\n  {}", self.0.join("\n  "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_within_its_limit_is_not_missed() {
        let mut missed = Missed::default();
        missed.at_most(0.5, 0.5, "half");
        missed.at_least(0.5, 0.5, "half");
        assert!(missed.into_result().is_ok());
    }

    #[test]
    fn all_that_is_missed_is_named() {
        let mut missed = Missed::default();
        missed.at_most(0.5, 0.61, "seconds");
        missed.at_most(3.0, f64::NAN, "memory");
        missed.at_least(0.8, 0.79, "part");
        let message = missed.into_result().unwrap_err().to_string();
        assert_eq!(
            message,
            "limits were missed:\n  seconds: 0.61, and the limit is 0.5\n  memory: NaN, and the limit is 3\n  \
             part: 0.79, and the least is 0.8"
        );
    }
}
