//! Names that occur once in the file.

use std::collections::{HashMap, HashSet};

/// Gives out every name once: a name that is taken gets the first free number behind it.
#[derive(Default)]
pub(super) struct Names {
    taken: HashSet<String>,
    /// Per name, the last number that was tried, so that many equal names stay linear.
    last: HashMap<String, usize>,
}

impl Names {
    /// `wanted`, or `wanted_1`, `wanted_2`, ... An empty name means "no tensor" in ONNX and becomes `value`.
    pub(super) fn unique(&mut self, wanted: &str) -> String {
        let wanted = if wanted.is_empty() { "value" } else { wanted };
        if self.taken.insert(wanted.to_owned()) {
            return wanted.to_owned();
        }
        let number = self.last.entry(wanted.to_owned()).or_insert(0);
        loop {
            *number += 1;
            let name = format!("{wanted}_{number}");
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn a_name_is_given_out_once_and_never_empty() {
        let mut names = Names::default();
        let given = ["x", "x_1", "x", "x", ""].map(|wanted| names.unique(wanted));
        assert_eq!(given, ["x", "x_1", "x_2", "x_3", "value"]);
    }
}
