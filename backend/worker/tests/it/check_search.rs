//! `check-search`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use eagleeye_spec::{ClassAnswers, Precheck, WarningCode};
use serde_json::{Value, json};

use crate::support::{example, refusal, report, text, worker};

/// A search on the example, with the preprocessing that its network was trained with.
fn request() -> Value {
    json!({
        "calibration_images": 3200, "scoring_images": 5000, "seed": 7,
        "preprocessing": { "mean": [0.2860], "deviation": [0.3530] },
    })
}

fn with(preprocessing: Value) -> Value {
    let mut request = request();
    request["preprocessing"] = preprocessing;
    request
}

struct Files {
    images: PathBuf,
    labels: PathBuf,
    request: tempfile::NamedTempFile,
}

fn files(request: &Value) -> Files {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(request.to_string().as_bytes()).unwrap();
    let (images, labels) = ("fashion-mnist-images-idx3-ubyte.gz", "fashion-mnist-labels-idx1-ubyte.gz");
    Files { images: example(images), labels: example(labels), request: file }
}

impl Files {
    fn arguments<'a>(&'a self, model: &'a Path) -> Vec<&'a str> {
        let (images, labels) = (text(&self.images), text(&self.labels));
        let mut arguments = vec!["check-search", text(model), "--input-shape", "1,1,28,28", "--images", images];
        arguments.extend(["--labels", labels, "--request", text(self.request.path())]);
        arguments
    }

    fn check(&self) -> Precheck {
        let model = example("mobilenet_v1.pt");
        serde_json::from_value(report(&self.arguments(&model))).unwrap()
    }
}

fn codes(found: &Precheck) -> Vec<WarningCode> {
    found.warnings.iter().map(|warning| warning.code).collect()
}

fn sum(found: &Precheck, of: fn(&ClassAnswers) -> u64) -> u64 {
    found.classes.iter().map(of).sum()
}

#[test]
fn a_search_as_the_network_was_trained_gives_no_warning() {
    let found = files(&request()).check();
    assert_eq!((found.images, found.preset_images, found.labelled), (512, 256, true));
    let (score, intervals) = (found.score.unwrap(), found.intervals.unwrap());
    assert!(score.top1 > 0.9 && intervals.top1.low < score.top1 && score.top1 < intervals.top1.high, "{score:?}");
    assert_eq!((sum(&found, |class| class.answers), sum(&found, |class| class.labels)), (512, 512));
    assert_eq!(found.classes.iter().map(|class| class.index).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    let requested: Vec<_> = found.presets.iter().filter(|fit| fit.requested).map(|fit| fit.name.as_str()).collect();
    assert_eq!((requested, found.presets.len()), (vec!["fashion_mnist"], 5));
    assert!(found.best_preset.is_none_or(|best| !best.fits_better));
    assert_eq!(found.warnings, []);
}

#[test]
fn values_that_the_network_was_not_trained_with_are_answered_with_the_preset_that_fits() {
    for wrong in [json!({ "mean": [0.0], "deviation": [1.0] }), json!({ "mean": [0.485], "deviation": [0.229] })] {
        let found = files(&with(wrong.clone())).check();
        let best = found.best_preset.as_ref().unwrap();
        assert_eq!((best.name.as_str(), best.fits_better), ("fashion_mnist", true), "{wrong}: {found:?}");
        let warning = found.warnings.iter().find(|warning| warning.code == WarningCode::OtherPresetFits).unwrap();
        assert!(warning.message.contains("`fashion_mnist`"), "{}", warning.message);
    }
    let found = files(&with(json!({ "mean": [0.286], "deviation": [0.353], "scale": 1.0 }))).check();
    let broken = [WarningCode::NearChance, WarningCode::OneAnswer, WarningCode::OtherPresetFits];
    assert!(codes(&found).iter().any(|code| broken.contains(code)), "{found:?}");
    assert_eq!((sum(&found, |class| class.answers), sum(&found, |class| class.labels)), (512, 512));
}

#[test]
fn the_order_of_the_classes_is_the_requests() {
    let plain = files(&request()).check();
    let names: Vec<String> = plain.classes.iter().map(|class| class.name.clone()).collect();
    let mut right = request();
    right["class_order"] = json!(names);
    assert_eq!(files(&right).check().score, plain.score, "the dataset's own order, written down");
    // Outputs 0 and 1, 2 and 3 and so on change places.
    let swapped: Vec<&String> = (0..names.len()).map(|place| &names[place ^ 1]).collect();
    let mut wrong = request();
    wrong["class_order"] = json!(swapped);
    let found = files(&wrong).check();
    assert!(found.score.unwrap().top1 < 0.1, "{:?}", found.score);
    assert_eq!(codes(&found), [WarningCode::NearChance, WarningCode::ClassOrderSuspect], "no preset is at fault");
    assert!(!found.best_preset.unwrap().fits_better);
    let zero = found.classes.iter().find(|class| class.index == 0).unwrap();
    assert_eq!(&zero.name, swapped[0], "outputs are called what the order says");
}

#[test]
fn few_images_are_said_to_be_few() {
    let mut few = request();
    (few["calibration_images"], few["scoring_images"]) = (json!(100), json!(200));
    let found = files(&few).check();
    assert_eq!(found.images, 200, "the scoring images end the sample");
    assert_eq!(codes(&found), [WarningCode::FewScoringImages, WarningCode::FewCalibrationImages]);
}

#[test]
fn the_request_may_come_from_standard_input_and_the_report_is_for_people() {
    let files = files(&request());
    let model = example("mobilenet_v1.pt");
    let mut arguments = files.arguments(&model);
    *arguments.last_mut().unwrap() = "-";
    let mut child =
        worker().args(arguments).args(["--sample", "64"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(request().to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    for part in ["of 64 images are classified correctly", "answers", "fashion_mnist"] {
        assert!(printed.contains(part), "no `{part}` in\n{printed}");
    }
}

#[test]
fn a_request_that_cannot_be_used_is_refused_with_its_field() {
    let model = example("mobilenet_v1.pt");
    let said = |request: &Value| refusal(&files(request).arguments(&model));
    let mut wrong = request();
    wrong["batch_size"] = json!(0);
    wrong["macs"] = json!(7);
    let reason = said(&wrong);
    assert!(reason.contains("batch_size must be from 1 to 4096") && !reason.contains("macs"), "{reason}");
    let unknown = said(&json!({ "budget": 1 }));
    assert!(unknown.contains("is not a search in JSON") && unknown.contains("budget"), "{unknown}");
    let mut greedy = request();
    greedy["scoring_images"] = json!(9000);
    assert!(said(&greedy).contains("9500"), "{}", said(&greedy));
    let mut missing = files(&request()).arguments(&model).into_iter().map(str::to_owned).collect::<Vec<_>>();
    *missing.last_mut().unwrap() = "no/such/request.json".to_owned();
    let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
    assert!(refusal(&missing).contains("no/such/request.json"));
}
