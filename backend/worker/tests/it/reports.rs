//! What a check would find, for stores of tests whose files nobody has checked.

use eagleeye_spec::report::{DatasetReport, ModelInspection};

/// An inspection of a network for ten classes of images of 28 by 28 grey pixels.
pub fn inspection() -> ModelInspection {
    let document = serde_json::json!({
        "format": "torchscript", "inputs": [{ "name": "x", "shape": [1, 1, 28, 28] }],
        "outputs": [{ "name": "scores", "shape": [1, 10] }], "guessed_shape": false, "macs": 15_666_752,
        "parameters": 823_434, "batch_norms": 27, "reachable": { "min": 0.02, "max": 1.0 }, "classes": 10,
        "element_type": "float32", "notices": [], "batch_norm_state": "present", "operators": {}, "layers": [], "groups": [],
    });
    ModelInspection::from_stored(document).unwrap()
}

/// A check of 9,500 such images.
pub fn dataset_report() -> DatasetReport {
    let size = serde_json::json!({ "width": 28, "height": 28 });
    let classes = (0..10).map(|index| serde_json::json!({ "index": index, "name": index.to_string(), "count": 950 }));
    let document = serde_json::json!({
        "kind": "idx", "images": 9500, "classes": classes.collect::<Vec<_>>(), "channels": 1, "width": 28, "height": 28,
        "shapes": { "min": size, "max": size, "most_common": size },
    });
    DatasetReport::from_stored(document).unwrap()
}
