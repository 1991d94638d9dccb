//! Which of the network's outputs stands for which class of a dataset.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::field_fault::FieldFault;

/// Largest number of classes of a dataset.
pub const MAX_CLASSES: u32 = 1 << 16;

/// The order of a network's classes, where it is not that of the dataset. In JSON `"sorted"`, a list or an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Json", into = "Json")]
pub enum ClassOrder {
    /// Labels are as the dataset has them: in an archive, folder names are sorted.
    #[default]
    Sorted,
    /// Names by output. Classes that the dataset does not have may be among them.
    Names(Vec<String>),
    /// The output of each name.
    Mapping(BTreeMap<String, u32>),
}

/// The order of the network's classes: `"sorted"` (as the dataset has them; folders by name), the names of all classes by output,
/// or an object from names to outputs. Names are those of the dataset's classes: of folders, else labels in digits.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
enum Json {
    Word(Word),
    #[schema(title = "Names by output")]
    Names(Vec<String>),
    #[schema(title = "Outputs by name")]
    Mapping(BTreeMap<String, u32>),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(title = "As the dataset has them")]
enum Word {
    Sorted,
}

impl From<Json> for ClassOrder {
    fn from(json: Json) -> Self {
        match json {
            Json::Word(Word::Sorted) => ClassOrder::Sorted,
            Json::Names(names) => ClassOrder::Names(names),
            Json::Mapping(mapping) => ClassOrder::Mapping(mapping),
        }
    }
}

impl From<ClassOrder> for Json {
    fn from(order: ClassOrder) -> Self {
        match order {
            ClassOrder::Sorted => Json::Word(Word::Sorted),
            ClassOrder::Names(names) => Json::Names(names),
            ClassOrder::Mapping(mapping) => Json::Mapping(mapping),
        }
    }
}

impl PartialSchema for ClassOrder {
    fn schema() -> RefOr<Schema> {
        Json::schema()
    }
}

impl ToSchema for ClassOrder {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ClassOrder")
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Json::schemas(schemas);
    }
}

impl ClassOrder {
    pub fn is_sorted(&self) -> bool {
        *self == ClassOrder::Sorted
    }

    /// The network's output for each class of a dataset, whose names come in the order of its labels. `None` for one that is
    /// not in the order.
    pub fn outputs<'a>(&self, classes: impl IntoIterator<Item = &'a str>) -> Vec<Option<u32>> {
        let known: HashMap<&str, u32> = match self {
            ClassOrder::Sorted => return (0..).zip(classes).map(|(output, _)| Some(output)).collect(),
            ClassOrder::Names(names) => names.iter().map(String::as_str).zip(0..).collect(),
            ClassOrder::Mapping(mapping) => mapping.iter().map(|(name, output)| (name.as_str(), *output)).collect(),
        };
        classes.into_iter().map(|name| known.get(name).copied()).collect()
    }

    /// The names of the network's outputs, as many as are known, of a dataset whose classes have these names, in the order of its
    /// labels. An output that stands for none of them has an empty name.
    pub fn names<'a>(&self, classes: impl IntoIterator<Item = &'a str> + Clone) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (output, name) in self.outputs(classes.clone()).into_iter().zip(classes) {
            let Some(output) = output.and_then(|output| usize::try_from(output).ok()) else { continue };
            if names.len() <= output {
                names.resize(output + 1, String::new());
            }
            name.clone_into(&mut names[output]);
        }
        names
    }

    /// The largest output that the order has; `None` where that is for the dataset to say.
    pub fn largest_output(&self) -> Option<u32> {
        match self {
            ClassOrder::Sorted => None,
            ClassOrder::Names(names) => u32::try_from(names.len()).ok()?.checked_sub(1),
            ClassOrder::Mapping(mapping) => mapping.values().max().copied(),
        }
    }

    /// What is wrong with it, whatever the dataset.
    pub fn faults(&self) -> Vec<FieldFault> {
        let most = MAX_CLASSES as usize;
        let (count, is_unique, is_small) = match self {
            ClassOrder::Sorted => return Vec::new(),
            ClassOrder::Names(names) => (names.len(), are_unique(names.iter()), true),
            ClassOrder::Mapping(mapping) => {
                let is_small = mapping.values().all(|output| *output < MAX_CLASSES);
                (mapping.len(), are_unique(mapping.values()), is_small)
            }
        };
        let checks = [
            ((1..=most).contains(&count), "must have from 1 to 65536 classes"),
            (is_unique, "must have each class and each output once"),
            (is_small, "must have outputs from 0 to 65535"),
        ];
        let failed = checks.into_iter().filter(|(holds, _)| !holds);
        failed.map(|(_, detail)| FieldFault { field: "class_order", detail }).collect()
    }
}

fn are_unique<T: Ord>(values: impl ExactSizeIterator<Item = T>) -> bool {
    let count = values.len();
    values.collect::<BTreeSet<_>>().len() == count
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json, to_value};

    use super::*;

    fn order(json: Value) -> ClassOrder {
        from_value(json).unwrap()
    }

    #[test]
    fn a_word_a_list_and_an_object_are_read_and_written_alike() {
        let orders = [
            (json!("sorted"), ClassOrder::Sorted),
            (json!(["dog", "cat"]), ClassOrder::Names(vec!["dog".into(), "cat".into()])),
            (json!({ "cat": 281 }), ClassOrder::Mapping(BTreeMap::from([("cat".into(), 281)]))),
        ];
        for (json, meant) in orders {
            assert_eq!(order(json.clone()), meant);
            assert_eq!(to_value(meant).unwrap(), json);
        }
        for wrong in [json!("folders"), json!([1]), json!({ "cat": -1 }), json!({ "cat": "dog" }), json!(null)] {
            assert!(from_value::<ClassOrder>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_class_has_the_output_that_the_order_gives_it() {
        let outputs = |json| order(json).outputs(["cat", "dog"]);
        assert_eq!(outputs(json!("sorted")), [Some(0), Some(1)]);
        assert_eq!(outputs(json!(["dog", "cow", "cat"])), [Some(2), Some(0)]);
        assert_eq!(outputs(json!({ "cat": 281, "dog": 5 })), [Some(281), Some(5)]);
        assert_eq!(outputs(json!(["dog"])), [None, Some(0)], "cats are missing");
    }

    #[test]
    fn the_largest_output_is_known_unless_the_dataset_says_it() {
        let largest = |json| order(json).largest_output();
        assert_eq!(largest(json!("sorted")), None);
        assert_eq!((largest(json!(["dog", "cat"])), largest(json!({ "cat": 281, "dog": 5 }))), (Some(1), Some(281)));
    }

    #[test]
    fn outputs_are_called_what_the_order_says() {
        let classes = ["bag", "coat", "shirt"];
        assert_eq!(ClassOrder::Sorted.names(classes), classes);
        let names = ClassOrder::Names(["shirt", "bag", "coat"].map(str::to_owned).to_vec());
        assert_eq!(names.names(classes), ["shirt", "bag", "coat"]);
        let mapping = ClassOrder::Mapping([("bag".to_owned(), 3), ("coat".to_owned(), 0)].into());
        assert_eq!(mapping.names(classes), ["coat", "", "", "bag"]);
    }

    #[test]
    fn an_order_with_a_class_or_an_output_twice_is_at_fault() {
        let faults = |json| order(json).faults().into_iter().map(|fault| fault.detail).collect::<Vec<_>>();
        for right in [json!("sorted"), json!(["dog", "cat"]), json!({ "cat": 65535, "dog": 0 })] {
            assert_eq!(faults(right), Vec::<&str>::new());
        }
        assert!(faults(json!(["dog", "cat", "dog"]))[0].contains("once"));
        assert!(faults(json!({ "cat": 1, "dog": 1 }))[0].contains("once"));
        assert!(faults(json!({ "cat": 65536 }))[0].contains("65535"));
        assert!(faults(json!([]))[0].contains("from 1"));
        assert!(faults(json!({}))[0].contains("from 1"));
        assert_eq!(faults(json!((0..65537).map(|n| n.to_string()).collect::<Vec<_>>())).len(), 1);
    }
}
