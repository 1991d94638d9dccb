//! Searches that are asked for.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::id;
use crate::contract::Asked;
use crate::server::{Server, fake, request};

fn change(mut body: Value, path: &str, value: Value) -> Value {
    *body.pointer_mut(path).unwrap_or_else(|| panic!("no {path}")) = value;
    body
}

fn searches(server: &Server) -> Value {
    server.get("/searches").expect(200)["items"].clone()
}

#[test]
fn a_search_is_queued_with_its_defaults_filled_in() {
    let (_data, server) = fake();
    let (model, dataset) = (id(&server.model("good")), id(&server.dataset("good")));
    let body = json!({
        "model_id": model, "dataset_id": dataset, "macs": 0.5, "calibration_images": 20, "scoring_images": 30,
        "preprocessing": { "mean": [0.286], "deviation": [0.353] },
    });
    let answer = server.post("/searches", &body);
    let search = answer.expect(202);
    assert_eq!(answer.header("location"), format!("/api/v1/searches/{}", id(&search)));
    assert_eq!((&search["state"], &search["name"]), (&json!("queued"), &Value::Null));
    assert_eq!((&search["model_id"], &search["dataset_id"]), (&json!(model), &json!(dataset)));
    let settings = json!({
        "model_id": model, "dataset_id": dataset, "strategies": ["sensitivity"], "uniform_reference": true, "macs": 0.5,
        "candidates": 48, "seed": 0, "calibration_images": 20, "scoring_images": 30, "vanilla_images": 512, "racing": true,
        "importance": { "criterion": "l1", "aggregate": "sum" },
        "batch_size": 128, "round_to": null, "min_keep_ratio": 0.1, "adaptation": { "mode": "cumulative" },
        "preprocessing": {
            "mean": [0.286], "deviation": [0.353], "scale": 1.0 / 255.0, "resize": { "mode": "cover" }, "filter": "bilinear",
            "channels": "rgb",
        },
    });
    assert_eq!(search["request"], settings);
    assert_eq!(search["progress"], json!({ "phase": "queued", "done": 0, "total": 49 }));
    for absent in ["baseline", "best_candidate_id", "split", "error", "started_at", "finished_at"] {
        assert_eq!(search[absent], Value::Null, "{absent}");
    }
    assert_eq!(server.get(&format!("/searches/{}", id(&search))).expect(200), search);
}

#[test]
fn fields_that_are_wrong_are_named_all_at_once() {
    let (_data, server) = fake();
    let good = request(&id(&server.model("good")), &id(&server.dataset("good")));
    let wrong = change(change(good.clone(), "/macs", json!(1.5)), "/candidates", json!(0));
    let refusal = server.post("/searches", &wrong).problem(422, "invalid-field", &["macs:", "candidates:"]);
    let fields: Vec<&Value> = refusal["errors"].as_array().unwrap().iter().map(|error| &error["field"]).collect();
    assert_eq!(fields, ["macs", "candidates"]);

    let mut unknown = good.clone();
    unknown["budget"] = json!(0.5);
    server.post("/searches", &unknown).problem(422, "invalid-field", &["budget: is not known", "`macs`"]);
    let mistyped = change(good.clone(), "/preprocessing/mean", json!("0.5"));
    let refusal = server.post("/searches", &mistyped).problem(422, "invalid-field", &["must be a list of numbers"]);
    assert_eq!(refusal["errors"][0]["field"], "preprocessing.mean");
    let mut missing = good;
    missing.as_object_mut().unwrap().remove("macs");
    let refusal = server.post("/searches", &missing).problem(422, "invalid-field", &["macs: is missing"]);
    assert_eq!(refusal["errors"][0]["field"], "macs");
    assert_eq!(searches(&server), json!([]));
}

fn fields(refusal: &Value) -> Vec<&str> {
    refusal["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect()
}

#[test]
fn values_of_the_wrong_type_are_answered_with_what_each_field_wants() {
    let (_data, server) = fake();
    let mut wrong = request(&id(&server.model("good")), &id(&server.dataset("good")));
    wrong["macs"] = Value::Null;
    wrong["candidates"] = json!(1.5);
    wrong["preprocessing"]["deviation"] = json!(["a"]);
    wrong.as_object_mut().unwrap().remove("scoring_images");
    let refusal = server.post("/searches", &wrong).problem(422, "invalid-field", &[]);
    let mut named = fields(&refusal);
    named.sort_unstable();
    assert_eq!(named, ["candidates", "macs", "preprocessing.deviation", "scoring_images"]);
    for word in ["expected", "line", "column", "u32", "f64"] {
        assert!(!refusal["detail"].as_str().unwrap().contains(word), "{refusal}");
    }

    let mut large = request(wrong["model_id"].as_str().unwrap(), wrong["dataset_id"].as_str().unwrap());
    large["calibration_images"] = json!(10_000_000_000u64);
    let words = "calibration_images: must be a whole number from 1 to 4294967295";
    server.post("/searches", &large).problem(422, "invalid-field", &[words]);
}

#[test]
fn fields_that_are_wrong_and_things_that_do_not_fit_are_named_in_one_answer() {
    let (_data, server) = fake();
    let mut wrong = request(&id(&server.model("good")), &id(&server.dataset("many")));
    wrong["seed"] = json!(1u64 << 53);
    wrong["macs"] = json!(0.01);
    wrong["scoring_images"] = json!(1000);
    wrong["preprocessing"]["mean"] = json!([0.5, 0.5]);
    let refusal = server.post("/searches", &wrong).problem(422, "invalid-field", &["seed:", "macs:", "100 images"]);
    let mut named = fields(&refusal);
    named.sort_unstable();
    assert_eq!(named, ["dataset_id", "macs", "preprocessing.mean", "scoring_images", "seed"]);
    assert_eq!(refusal["reachable"], json!({ "min": 0.125, "max": 1.0 }));

    wrong["model_id"] = json!(Uuid::now_v7());
    let refusal = server.post("/searches", &wrong).problem(422, "invalid-field", &["does not exist"]);
    assert!(fields(&refusal).contains(&"model_id") && fields(&refusal).contains(&"scoring_images"));
}

#[test]
fn a_body_that_is_no_json_is_told_where_it_breaks() {
    let (_data, server) = fake();
    let send = |media_type: &'static str, body: &'static str| {
        server.call("POST", "/searches", |request| request.header("content-type", media_type).body(body))
    };
    send("application/json", "{\"macs\": 0.5,").problem(400, "malformed-json", &["line 1"]);
    send("text/plain", "{}").problem(415, "unsupported-media-type", &["application/json"]);
}

#[test]
fn a_model_or_dataset_that_is_not_there_is_named() {
    let (_data, server) = fake();
    let good = request(&id(&server.model("good")), &id(&server.dataset("good")));
    let nobody = Uuid::now_v7().to_string();
    let wrong = change(good.clone(), "/model_id", json!(nobody));
    server.post("/searches", &wrong).problem(422, "unknown-model", &[&nobody]);
    let wrong = change(good, "/dataset_id", json!(nobody));
    server.post("/searches", &wrong).problem(422, "unknown-dataset", &[&nobody]);
    assert_eq!(searches(&server), json!([]));
}

#[test]
fn a_dataset_that_does_not_fit_the_model_is_refused_with_what_would() {
    let (_data, server) = fake();
    let (grey_model, colour_model) = (id(&server.model("good")), id(&server.model("colour")));
    let (grey, colour, many) =
        (id(&server.dataset("good")), id(&server.dataset("colour")), id(&server.dataset("many")));
    let headless = id(&server.model("headless"));
    let small = |model: &str, dataset: &str| {
        let body = change(request(model, dataset), "/calibration_images", json!(1));
        change(body, "/scoring_images", json!(1))
    };
    let three = |body: Value| {
        let body = change(body, "/preprocessing/mean", json!([0.0, 0.0, 0.0]));
        change(body, "/preprocessing/deviation", json!([1.0, 1.0, 1.0]))
    };
    let misfit = "dataset-does-not-fit";
    let refused = server.post("/searches", &small(&grey_model, &colour));
    refused.problem(422, misfit, &["images with 1 channel and", "dataset's have 3"]);
    let refused = server.post("/searches", &small(&grey_model, &many));
    refused.problem(422, misfit, &["labels up to 11", "10 classes", "from 0 to 9"]);
    server.post("/searches", &small(&headless, &grey)).problem(422, misfit, &["needs a classifier"]);
    let refused = server.post("/searches", &small(&colour_model, &grey));
    refused.problem(422, "invalid-field", &["preprocessing.mean", "3 channels"]);
    assert_eq!(searches(&server), json!([]));
    server.post("/searches", &three(small(&colour_model, &grey))).expect(202);
}

#[test]
fn more_images_than_there_are_cannot_be_asked_for() {
    let (_data, server) = fake();
    let good = request(&id(&server.model("good")), &id(&server.dataset("good")));
    let greedy = change(good.clone(), "/scoring_images", json!(81));
    server.post("/searches", &greedy).problem(422, "not-enough-images", &["20", "81", "100 images"]);
    server.post("/searches", &change(good, "/scoring_images", json!(80))).expect(202);
}

#[test]
fn a_budget_out_of_reach_is_answered_with_the_range_that_is_reachable() {
    let (_data, server) = fake();
    let good = request(&id(&server.model("good")), &id(&server.dataset("good")));
    let refusal = server.post("/searches", &change(good.clone(), "/macs", json!(0.04)));
    let refusal = refusal.problem(422, "budget-out-of-reach", &["0.04", "0.1250", "1"]);
    assert_eq!(refusal["reachable"], json!({ "min": 0.125, "max": 1.0 }));
    assert_eq!(searches(&server), json!([]));
    server.post("/searches", &change(good, "/macs", json!(0.125))).expect(202);
}

#[test]
fn what_is_reachable_depends_on_what_may_be_drawn() {
    let (_data, server) = fake();
    let mut narrow = request(&id(&server.model("good")), &id(&server.dataset("good")));
    narrow["min_keep_ratio"] = json!(0.75);
    let refusal = server.post("/searches", &narrow).problem(422, "budget-out-of-reach", &["min_keep_ratio 0.75"]);
    assert_eq!(refusal["reachable"], json!({ "min": 0.75, "max": 1.0 }));
    assert_eq!(searches(&server), json!([]));
    server.post("/searches", &change(narrow.clone(), "/macs", json!(0.8125))).expect(202);

    narrow["min_keep_ratio"] = json!(1);
    let refused = server.post("/searches", &change(narrow, "/macs", json!(1)));
    refused.problem(422, "budget-out-of-reach", &["nothing can be pruned"]);
}

#[test]
fn a_budget_that_rounding_cannot_hit_is_refused_before_it_is_queued() {
    let (_data, server) = fake();
    let mut coarse = request(&id(&server.model("good")), &id(&server.dataset("good")));
    coarse["round_to"] = json!(512);
    let refusal = server.post("/searches", &coarse).problem(422, "budget-out-of-reach", &["a smaller round_to"]);
    assert_eq!(refusal["reachable"], json!({ "min": 1.0, "max": 1.0 }));
    coarse["round_to"] = json!(16);
    let between = change(coarse.clone(), "/macs", json!(0.7));
    let refusal = server.post("/searches", &between).problem(422, "budget-out-of-reach", &["0.5000 of the MACs"]);
    assert_eq!(refusal["reachable"], json!({ "min": 0.5, "max": 1.0 }));
    assert_eq!(searches(&server), json!([]));
    server.post("/searches", &coarse).expect(202);
}

#[test]
fn whether_a_budget_of_latency_can_be_met_is_told_once_networks_are_measured() {
    let (_data, server) = fake();
    let mut timed = request(&id(&server.model("good")), &id(&server.dataset("good")));
    timed["latency"] = json!(0.01);
    timed["latency_of"] = json!("libtorch");
    let search = server.post("/searches", &timed).expect(202);
    assert_eq!((&search["request"]["latency"], &search["latency_model"]), (&json!(0.01), &json!(null)));
    assert_eq!(search["budgets"], json!([{ "macs": timed["macs"], "latency": 0.01 }]));
    timed.as_object_mut().unwrap().remove("macs");
    server.post("/searches", &timed).expect(202);
    let mut nothing = timed.clone();
    nothing["min_keep_ratio"] = json!(1);
    server.post("/searches", &nothing).problem(422, "budget-out-of-reach", &["nothing can be pruned"]);
    let refusal = server.post("/searches", &change(timed, "/latency", json!(1.5))).problem(422, "invalid-field", &[]);
    assert_eq!(fields(&refusal), ["latency"]);
}

#[test]
fn a_budget_of_parameters_is_checked_beside_that_of_macs() {
    let (_data, server) = fake();
    let mut both = request(&id(&server.model("good")), &id(&server.dataset("good")));
    both["parameters"] = json!(0.01);
    let refusal = server.post("/searches", &both).problem(422, "budget-out-of-reach", &["0.01 of the parameters"]);
    assert_eq!(fields(&refusal), ["parameters"]);
    both["parameters"] = json!(0.25);
    let search = server.post("/searches", &both).expect(202);
    assert_eq!(search["request"]["parameters"], 0.25);
}

#[test]
fn strategies_are_listed_and_another_name_is_refused_with_the_list() {
    let (_data, server) = fake();
    let listed = server.get("/strategies").expect(200);
    let names: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap()).collect();
    assert_eq!(names[0], "sensitivity");
    let mut wrong = request(&id(&server.model("good")), &id(&server.dataset("good")));
    wrong["strategies"] = json!(["random", "best"]);
    let refusal = server.post("/searches", &wrong).problem(422, "invalid-field", &names);
    assert_eq!(fields(&refusal), ["strategies"]);
    wrong["strategies"] = json!(["random", "random"]);
    server.post("/searches", &wrong).problem(422, "invalid-field", &["once"]);
    wrong["strategies"] = json!(["manual"]);
    server.post("/searches", &wrong).problem(422, "invalid-field", &["manual"]);
    wrong["manual"] = json!([{ "groups": {} }]);
    wrong["strategies"] = json!(names);
    assert_eq!(server.post("/searches", &wrong).expect(202)["request"]["strategies"], json!(names));
}

#[test]
fn a_search_may_have_several_budgets_and_needs_one() {
    let (_data, server) = fake();
    let mut body = request(&id(&server.model("good")), &id(&server.dataset("good")));
    body["budgets"] = json!([{ "macs": 0.75 }, { "parameters": 0.25, "bytes": 0.9 }]);
    body["budget_range"] = json!({ "measure": "macs", "from": 0.75, "to": 0.25, "steps": 2 });
    let search = server.post("/searches", &body).expect(202);
    assert_eq!(
        search["budgets"],
        json!([{ "macs": 0.5 }, { "macs": 0.75 }, { "parameters": 0.25, "bytes": 0.9 }, { "macs": 0.25 }])
    );
    body["budgets"] = json!([{ "macs": 0.001 }]);
    let refusal = server.post("/searches", &body).problem(422, "budget-out-of-reach", &["0.001"]);
    assert!(!fields(&refusal).is_empty(), "{refusal}");
    for field in ["macs", "budgets", "budget_range"] {
        body.as_object_mut().unwrap().remove(field);
    }
    let refusal = server.post("/searches", &body).problem(422, "invalid-field", &["budget"]);
    assert_eq!(fields(&refusal), ["macs"]);
}

#[test]
fn groups_can_be_left_alone_by_name_and_pattern_and_names_that_match_nothing_are_refused() {
    let (_data, server) = fake();
    let mut body = request(&id(&server.model("good")), &id(&server.dataset("good")));
    body["group_limits"] = json!([{ "group": "nowhere*", "keep": 1 }]);
    let refusal = server.post("/searches", &body).problem(422, "invalid-field", &["nowhere*"]);
    assert_eq!(fields(&refusal), ["group_limits"]);
    body["group_limits"] = json!([{ "group": "*", "keep": 1 }]);
    server.post("/searches", &body).problem(422, "invalid-field", &[]);
    body["group_limits"] = json!([{ "group": "*", "keep": 0.25 }]);
    assert_eq!(server.post("/searches", &body).expect(202)["request"]["group_limits"], body["group_limits"]);
}

#[test]
fn images_of_another_size_than_the_model_takes_are_warned_of_before_anything_is_computed() {
    let (_data, server) = fake();
    let body = request(&id(&server.model("good")), &id(&server.dataset("small")));
    let search = server.post("/searches", &body).expect(202);
    let warnings = search["warnings"].as_array().unwrap();
    let codes: Vec<&str> = warnings.iter().map(|warning| warning["code"].as_str().unwrap()).collect();
    assert_eq!((codes, &warnings[0]["at"]), (vec!["input_size_differs"], &json!("before")));
}

#[test]
fn each_template_can_be_merged_into_a_request() {
    let (_data, server) = fake();
    let templates = server.get("/templates").expect(200);
    let templates = templates["items"].as_array().unwrap();
    let half = templates.iter().find(|template| template["name"] == "resnet50_50").unwrap();
    assert_eq!((&half["search"]["macs"], &half["published"]["top1"]), (&json!(0.5), &json!(0.764)));
    let own = request(&id(&server.model("good")), &id(&server.dataset("good")));
    for template in templates {
        let mut body = own.clone();
        body.as_object_mut().unwrap().remove("budgets");
        body.as_object_mut().unwrap().extend(template["search"].as_object().unwrap().clone());
        // There are fewer images.
        body["calibration_images"] = own["calibration_images"].clone();
        let search = server.post("/searches", &body).expect(202);
        assert_eq!(search["request"]["min_keep_ratio"], template["search"]["min_keep_ratio"]);
        assert_eq!(search["request"]["strategies"], json!(["reference"]));
    }
}

#[test]
fn each_preset_can_be_sent_as_it_is_listed() {
    let (_data, server) = fake();
    let listed = server.get("/presets").expect(200);
    let presets = listed["items"].as_array().unwrap();
    assert_eq!(presets[0]["name"], "torchvision");
    let mut body = request(&id(&server.model("good")), &id(&server.dataset("good")));
    let channels = body["preprocessing"]["mean"].as_array().unwrap().len();
    let fitting = presets.iter().filter(|p| p["input_channels"].is_null() || p["input_channels"] == channels);
    let mut sent = 0;
    for preset in fitting {
        let each = |field: &str| match preset[field].as_array().unwrap().as_slice() {
            [one] => json!(vec![one; channels]),
            many => json!(many),
        };
        body["preprocessing"] = json!({
            "mean": each("mean"), "deviation": each("deviation"), "scale": preset["scale"], "resize": preset["resize"],
            "filter": preset["filter"], "channels": preset["channels"],
        });
        let search = server.post("/searches", &body).expect(202);
        assert_eq!(search["request"]["preprocessing"], body["preprocessing"]);
        sent += 1;
    }
    assert!(sent >= 3, "the ranges of pixels fit every network");
}

#[test]
fn images_without_labels_can_be_searched_with() {
    let (_data, server) = fake();
    let body = request(&id(&server.model("good")), &id(&server.dataset("bare")));
    server.post("/searches", &body).expect(202);
}

#[test]
fn the_order_of_the_classes_must_name_each_of_them() {
    let (_data, server) = fake();
    let mut body = request(&id(&server.model("good")), &id(&server.dataset("good")));
    body["class_order"] = json!(["nobody"]);
    let refusal = server.post("/searches", &body).problem(422, "dataset-does-not-fit", &["lacks"]);
    assert_eq!(fields(&refusal), ["class_order"]);
}

#[test]
fn a_resize_that_is_not_known_is_refused() {
    let (_data, server) = fake();
    let mut body = request(&id(&server.model("good")), &id(&server.dataset("good")));
    for (field, wrong) in [("resize", json!({ "mode": "fit" })), ("filter", json!("box")), ("channels", json!("gbr"))] {
        let mut body = body.clone();
        body["preprocessing"][field] = wrong;
        let refusal = server.post("/searches", &body).problem(422, "invalid-field", &[]);
        assert!(fields(&refusal)[0].starts_with(&format!("preprocessing.{field}")), "{refusal}");
    }
    body["preprocessing"]["resize"] = json!({ "mode": "shorter_side", "size": 0 });
    let refusal = server.post("/searches", &body).problem(422, "invalid-field", &[]);
    assert!(fields(&refusal)[0].starts_with("preprocessing.resize"), "{refusal}");
}

#[test]
fn ids_that_name_nothing_are_not_found() {
    let (_data, server) = fake();
    let nobody = Uuid::now_v7();
    for thing in ["models", "datasets", "searches", "candidates", "checkpoints"] {
        server.get(&format!("/{thing}/{nobody}")).problem(404, "not-found", &[&nobody.to_string()]);
        server.get(&format!("/{thing}/seven")).problem(404, "not-found", &["UUID"]);
    }
    for thing in ["models", "datasets", "searches"] {
        server.delete(&format!("/{thing}/{nobody}")).problem(404, "not-found", &[]);
    }
    for below in ["searches/{}/candidates", "searches/{}/events", "candidates/{}/checkpoints", "checkpoints/{}/file"] {
        server.get(&format!("/{}", below.replace("{}", &nobody.to_string()))).problem(404, "not-found", &[]);
    }
    server.post(&format!("/searches/{nobody}/cancel"), &json!({})).problem(404, "not-found", &[]);
    let request = json!({ "format": "onnx" });
    server.post(&format!("/candidates/{nobody}/checkpoints"), &request).problem(404, "not-found", &[]);
}

#[test]
fn a_method_that_an_address_does_not_have_is_refused_with_those_it_has() {
    let (_data, server) = fake();
    let refusal = server.ask(Asked::Absent, "PUT", "/api/v1/models", |request| request);
    refusal.problem(405, "method-not-allowed", &["Allow"]);
    assert!(refusal.header("allow").contains("GET") && refusal.header("allow").contains("POST"));
}

#[test]
fn a_parameter_that_an_address_does_not_take_is_refused_and_not_ignored() {
    let (_data, server) = fake();
    let refusal = server.get("/searches?state=running");
    refusal.problem(400, "invalid-parameter", &["`state`", "`limit`", "`cursor`"]);
    server.get("/models?limit=5&cursr=x").problem(400, "invalid-parameter", &["`cursr`"]);
    let search = server.search();
    server.get(&format!("/searches/{search}?full=1")).problem(400, "invalid-parameter", &["`full`", "no parameters"]);
    assert_eq!(server.get("/searches?limit=5").status, 200);
}

#[test]
fn an_encoded_body_is_refused_by_its_encoding_and_not_as_malformed_json() {
    let (_data, server) = fake();
    let answer = server.call("POST", "/searches", |request| {
        request.header("content-type", "application/json").header("content-encoding", "gzip").body("not looked at")
    });
    answer.problem(415, "unsupported-encoding", &["Content-Encoding"]);
    assert_eq!(answer.header("accept-encoding"), "identity");
}

#[test]
fn what_is_refused_before_the_api_sees_it_has_the_status_that_the_catalogue_says_and_no_body() {
    let (_data, server) = fake();
    let headers = (0..101).map(|number| format!("x-{number}: 1\r\n")).collect::<String>();
    let requests = [
        (431, format!("GET /api/v1/models HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n")),
        (414, format!("GET /api/v1/models?cursor={} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(65_535))),
        (400, "GET /api/v1/models\r\n\r\n".to_owned()),
    ];
    for (status, request) in requests {
        let mut stream = TcpStream::connect(server.host()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
}

#[test]
fn heads_and_bodies_beyond_reason_are_refused_with_the_limit() {
    let (_data, server) = fake();
    let address = server.get(&format!("/models?cursor={}", "x".repeat(10_000)));
    assert_eq!(address.problem(414, "address-too-long", &[])["limit_bytes"], 8192);
    let headers = server.call("GET", "/models", |request| request.header("cookie", "x".repeat(70_000)));
    assert_eq!(headers.problem(431, "headers-too-large", &[])["limit_bytes"], 65_536);
    let body = server.post("/searches", &json!({ "name": "x".repeat(3_000_000) }));
    assert_eq!(body.problem(413, "too-large", &["2097152"])["limit_bytes"], 2_097_152);
}
