//! All that is wrong with a request, collected so that one answer can name every field.

use eagleeye_spec::FieldFault;
use eagleeye_spec::report::Reachable;

use crate::problem::{FieldError, Kind, Problem};

/// The faults of a request, in the order in which they were found.
#[derive(Debug, Default)]
pub struct Faults {
    found: Vec<(Kind, FieldError)>,
    /// The budgets that are within reach, where one is out of it.
    pub reachable: Option<Reachable>,
}

impl Faults {
    /// Adds what is wrong with a field, by its path.
    pub fn add(&mut self, kind: Kind, field: &str, detail: String) {
        self.found.push((kind, FieldError { field: field.to_owned(), detail }));
    }

    /// Adds fields whose values are out of range.
    pub fn add_invalid(&mut self, found: impl IntoIterator<Item = FieldFault>) {
        for FieldFault { field, detail } in found {
            self.add(Kind::InvalidField, field, detail.to_owned());
        }
    }

    /// [`Self::add_invalid`], for the fields of an object in the request.
    pub fn add_invalid_within(&mut self, object: &str, found: impl IntoIterator<Item = FieldFault>) {
        for FieldFault { field, detail } in found {
            self.add(Kind::InvalidField, &format!("{object}.{field}"), detail.to_owned());
        }
    }

    /// Whether one of these fields is at fault.
    pub fn has(&self, fields: &[&str]) -> bool {
        self.found.iter().any(|(_, error)| fields.contains(&error.field.as_str()))
    }

    /// A problem where there is a fault. Its type is that of the first one; `errors` has all.
    pub fn into_result(self) -> Result<(), Problem> {
        let Some((kind, _)) = self.found.first() else { return Ok(()) };
        let kind = *kind;
        let problem = Problem::of_fields(kind, self.found.into_iter().map(|(_, error)| error).collect());
        Err(match self.reachable {
            Some(reachable) => problem.with_reachable(reachable),
            None => problem,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_faults_are_one_problem_of_the_first_ones_type() {
        assert!(Faults::default().into_result().is_ok());
        let mut faults = Faults::default();
        faults.add(Kind::NotEnoughImages, "scoring_images", "too many".to_owned());
        faults.add(Kind::InvalidField, "macs", "must be above 0".to_owned());
        assert!(faults.has(&["macs"]) && !faults.has(&["seed"]));
        let problem = faults.into_result().unwrap_err();
        assert_eq!(problem.kind(), Kind::NotEnoughImages);
        assert_eq!(problem.detail(), "scoring_images: too many; macs: must be above 0");
    }
}
