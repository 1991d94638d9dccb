//! Labels in the order of a network's classes.

use eagleeye_data::{DataError, relabelled};
use eagleeye_spec::ClassOrder;
use serde_json::{Value, from_value, json};

use crate::support::{OnDisk, grey_png, zip};

/// Labels of a cat, a dog and another dog.
fn pets(order: Value) -> Result<Vec<usize>, DataError> {
    let dot = grey_png(1, 1, &[0]);
    let dataset = OnDisk::one(&zip(&[("dog/1.png", &dot), ("dog/2.png", &dot), ("cat/1.png", &dot)])).open();
    relabelled(dataset.labels(), dataset.classes(), &from_value::<ClassOrder>(order).unwrap())
}

#[test]
fn folders_are_sorted_unless_the_order_is_another() {
    assert_eq!(pets(json!("sorted")).unwrap(), [0, 1, 1]);
    assert_eq!(pets(json!(["dog", "cat"])).unwrap(), [1, 0, 0]);
    assert_eq!(pets(json!(["cow", "dog", "cat"])).unwrap(), [2, 1, 1], "a class without images keeps its place");
    assert_eq!(pets(json!({ "cat": 281, "dog": 207 })).unwrap(), [281, 207, 207]);
}

#[test]
fn a_class_that_the_order_lacks_is_named() {
    for order in [json!(["cat", "Dog"]), json!({ "cat": 0 })] {
        let refusal = pets(order).unwrap_err();
        assert!(matches!(&refusal, DataError::NotInOrder { class } if class == "dog"), "{refusal}");
        assert!(refusal.to_string().contains("`dog`"), "{refusal}");
    }
}

#[test]
fn only_classes_with_images_need_be_in_the_order() {
    let classes: Vec<String> = ["0", "1", "2"].map(str::to_owned).into();
    let order = ClassOrder::Mapping([("0".to_owned(), 5), ("2".to_owned(), 6)].into());
    assert_eq!(relabelled(&[0, 2, 2], &classes, &order).unwrap(), [5, 6, 6]);
    assert!(relabelled(&[0, 1], &classes, &order).is_err());
    assert_eq!(relabelled(&[], &[], &order).unwrap(), [0usize; 0], "images without labels");
    let refusal = relabelled(&[7], &classes, &order).unwrap_err();
    assert!(matches!(&refusal, DataError::NotInOrder { class } if class == "7"), "{refusal}");
}
