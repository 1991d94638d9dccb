//! Values at the edges of what the document allows: the server refuses those that the document does, and no others.

use std::sync::LazyLock;

use reqwest::blocking::multipart::Form;
use serde_json::{Value, json};

use crate::answer::{Answer, id};
use crate::contract;
use crate::server::{Server, fake, file, request};

/// Whether the answer says that the body is not as the document has it.
fn is_refused(answer: &Answer) -> bool {
    answer.status == 422 && answer.json()["type"] == "/problems/invalid-field"
}

static NAMES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let (longest, too_long) = ("é".repeat(200), "n".repeat(201));
    let texts = ["", " ", "\u{3000}", "a", " a b ", "a\tb", "a\n", "\u{85}", "a\u{7f}", "a\u{a0}", &longest, &too_long];
    let texts = texts.map(Value::from);
    texts.into_iter().chain([Value::Null, json!(7), json!(true), json!(["a"])]).collect()
});

fn numbers() -> Vec<Value> {
    let largest = (1_u64 << 53) - 1;
    let whole = [0, 1, 1024, 1025, 4096, 4097, 10_000, 10_001, u64::from(u32::MAX), 1 << 32, largest, 1 << 53];
    let whole = whole.map(Value::from);
    let other = [json!(-1), json!(0.5), json!(1.0), json!(1.5), json!(1e-300), json!(1e300), Value::Null, json!("1")];
    whole.into_iter().chain(other).collect()
}

fn lists_of_one() -> Vec<Value> {
    let items = [json!(0), json!(1), json!(-1), json!(0.25), json!(1e-300), Value::Null, json!("1"), json!([1])];
    items.map(|item| json!([item])).into_iter().chain([json!(1), Value::Null]).collect()
}

/// Sends `body` with each of `values` at `place`, and compares what the document and the server say of it.
fn compare(server: &Server, call: (&str, &str), schema: &str, body: &Value, place: &str, values: &[Value]) {
    let (method, path) = call;
    for value in values {
        let mut body = body.clone();
        let (above, field) = place.rsplit_once('/').unwrap();
        body.pointer_mut(above).unwrap()[field] = value.clone();
        let answer = server.call(method, path, |request| request.json(&body));
        let fits = contract::fits_schema(schema, &body);
        assert_eq!(fits, !is_refused(&answer), "{method} {path}, {place} {value}: {} {}", answer.status, answer.text());
    }
}

#[test]
fn a_search_is_refused_for_values_that_the_document_does_not_allow_and_for_no_others() {
    let (_data, server) = fake();
    let mut good = request(&id(&server.model("good")), &id(&server.dataset("good")));
    good["adaptation"] = json!({ "mode": "momentum" });
    let post = |place: &str, values: &[Value]| {
        compare(&server, ("POST", "/searches"), "SearchRequest", &good, place, values);
    };
    let whole = [
        "candidates",
        "seed",
        "calibration_images",
        "scoring_images",
        "test_images",
        "vanilla_images",
        "repaired",
        "batch_size",
        "round_to",
    ];
    let places = whole.into_iter().chain([
        "macs",
        "parameters",
        "bytes",
        "min_keep_ratio",
        "adaptation/momentum",
        "adaptation/batches",
    ]);
    for field in places.chain(["preprocessing/scale"]) {
        post(&format!("/{field}"), &numbers());
    }
    for field in ["mean", "deviation"] {
        post(&format!("/preprocessing/{field}"), &lists_of_one());
    }
    post("/name", &NAMES);
    post("/adaptation/mode", &[json!("cumulative"), json!("Momentum"), json!(""), Value::Null]);
}

#[test]
fn a_change_is_refused_for_values_that_the_document_does_not_allow_and_for_no_others() {
    let (_data, server) = fake();
    let search = server.search();
    let queued = server.get(&format!("/searches/{search}")).expect(200);
    let things = [
        ("ModelChange", format!("/models/{}", queued["model_id"].as_str().unwrap())),
        ("Renaming", format!("/datasets/{}", queued["dataset_id"].as_str().unwrap())),
        ("SearchRenaming", format!("/searches/{search}")),
    ];
    for (schema, path) in &things {
        compare(&server, ("PATCH", path), schema, &json!({}), "/name", &NAMES);
    }
    let path = format!("/models/{}", id(&server.model("shaped")));
    let mut shapes = vec![json!([1, 1, 8, 8]), json!([]), json!(vec![1; 8]), json!(vec![1; 9])];
    let lengths = [json!(999_999_999), json!(1_000_000_000), json!(0), json!(-1), json!(8.0), json!(1.5), Value::Null];
    shapes.extend(lengths.map(|length| json!([1, 1, 8, length])));
    shapes.extend([json!("1,1,8,8"), Value::Null]);
    compare(&server, ("PATCH", &path), "ModelChange", &json!({}), "/input_shape", &shapes);
}

#[test]
fn an_upload_is_refused_for_texts_that_the_document_does_not_allow_and_for_no_others() {
    let (_data, server) = fake();
    let upload = |path: &str, schema: &str, part: &'static str, text: &str| {
        let form: Form = file("file", "network.pt", if path == "/models" { "shaped" } else { "good" });
        let answer = server.upload(path, form.text(part, text.to_owned()));
        let fits = contract::fits_schema(schema, &json!({ "file": "", part: text }));
        assert_eq!(fits, !is_refused(&answer), "{path} {part} {text:?}: {} {}", answer.status, answer.text());
    };
    for name in NAMES.iter().filter_map(Value::as_str) {
        upload("/models", "ModelUpload", "name", name);
        upload("/datasets", "DatasetUpload", "name", name);
    }
    let shapes =
        ["", "1", "1,1,8,8", " 1, 1 ,8,8 ", "1,,8", "1,0", "1,08", "+1", "-1", "1x8", "1,1,1,1,1,1,1,1", "999999999"];
    for shape in shapes.into_iter().chain(["1,1,1,1,1,1,1,1,1", "1000000000", "1,1.5", "1,", "a"]) {
        upload("/models", "ModelUpload", "input_shape", shape);
    }
}
