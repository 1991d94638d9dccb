//! Limits on single channel groups: layers that are left alone, and those of which a part stays in any case.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::field_fault::{FieldFault, failed};

/// Longest name or pattern in characters.
const MAX_PATTERN: usize = 400;

/// The least that a search keeps of some channel groups. Where several limits match a group, the largest holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupLimit {
    /// The name of a channel group; or the name of a layer, which limits every group that the layer makes or reads; or a pattern
    /// for either, in which `*` stands for any characters, such as `layer1.*`.
    #[schema(min_length = 1, max_length = 400, example = "layer1.*")]
    pub group: String,
    /// The least fraction of the group's units that stays; 1 leaves the group alone.
    #[schema(minimum = 0, maximum = 1, example = 1.0)]
    pub keep: f64,
}

impl GroupLimit {
    /// What is out of range.
    pub fn faults(&self) -> Vec<FieldFault> {
        let named = (1..=MAX_PATTERN).contains(&self.group.chars().count());
        failed([
            (named, "group_limits.group", "must be a name or pattern of 1 to 400 characters"),
            ((0.0..=1.0).contains(&self.keep), "group_limits.keep", "must be a fraction from 0 to 1"),
        ])
    }

    /// Whether the limit is meant for this name.
    pub fn matches(&self, name: &str) -> bool {
        matches(&self.group, name)
    }
}

/// Whether a name has all the parts between the stars of a pattern, in their order, the first at its start and the last at its
/// end.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut name) = name.strip_suffix(last) else { return false };
    for part in middle.split('*') {
        let Some((_, after)) = name.split_once(part) else { return false };
        // An empty part matches anywhere, and takes nothing.
        name = if part.is_empty() { name } else { after };
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        let yes = [
            ("conv1", "conv1"),
            ("*", "conv1"),
            ("*", ""),
            ("layer1.*", "layer1.0.conv1"),
            ("*.conv1", "layer1.0.conv1"),
            ("layer*.conv1", "layer1.0.conv1"),
            ("l*r*.*.c*1", "layer1.0.conv1"),
            ("**conv**", "layer1.0.conv1"),
            ("a*a", "aa"),
            ("*a*b*", "xaxbx"),
        ];
        let no = [
            ("conv", "conv1"),
            ("conv1", "layer1.conv1"),
            ("layer1.*", "layer10.conv1"),
            ("*.conv1", "conv1"),
            ("a*a", "a"),
            ("*a*b*", "xbxax"),
            ("a*b*a", "aba2"),
            ("", "conv1"),
            ("layer1?0", "layer1.0"),
        ];
        for (pattern, name) in yes {
            assert!(matches(pattern, name), "{pattern}, {name}");
        }
        for (pattern, name) in no {
            assert!(!matches(pattern, name), "{pattern}, {name}");
        }
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let faults = |group: &str, keep: f64| {
            let limit = GroupLimit { group: group.to_owned(), keep };
            limit.faults().into_iter().map(|fault| fault.field).collect::<Vec<_>>()
        };
        assert_eq!(faults("conv1", 1.0), [""; 0]);
        assert_eq!(faults("", 0.5), ["group_limits.group"]);
        assert_eq!(faults(&"n".repeat(401), 0.5), ["group_limits.group"]);
        assert_eq!(faults("conv1", 1.5), ["group_limits.keep"]);
        assert_eq!(faults("conv1", f64::NAN), ["group_limits.keep"]);
    }

    #[test]
    fn a_limit_is_a_name_and_a_fraction_and_nothing_else() {
        let limit: GroupLimit = serde_json::from_value(json!({ "group": "layer1.*", "keep": 0.5 })).unwrap();
        assert_eq!(limit, GroupLimit { group: "layer1.*".to_owned(), keep: 0.5 });
        let misspelt = json!({ "group": "layer1.*", "keep": 0.5, "most": 1 });
        serde_json::from_value::<GroupLimit>(misspelt).unwrap_err();
    }
}
