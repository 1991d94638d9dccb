use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::summary::ReportedSplit;
use crate::{
    Adaptation, Baseline, Candidate, CandidateWeights, Evaluation, EvaluationKind, GroupKeep, ImageSet, Latency,
    Moment, Origin, Runtime, Score, SearchRequest, StrategyName, TuneOptions, TuningResult, Warning, WarningCode,
};

struct Stored {
    request: SearchRequest,
    baseline: Baseline,
    candidate: Candidate,
    latencies: Vec<Latency>,
    warnings: Vec<Warning>,
}

fn score(top1: f64) -> Score {
    Score { agreement: Some(top1), kl: Some(0.25), ..Score::new(top1, 0.99, 0.5) }
}

fn stored() -> Stored {
    let body = json!({
        "model_id": Uuid::nil(), "dataset_id": Uuid::nil(), "name": "first", "budgets": [{ "macs": 0.5 }, { "macs": 0.25 }],
        "strategies": ["sensitivity", "random"], "seed": 7, "calibration_images": 1000, "scoring_images": 1000,
        "group_limits": [{ "group": "stem*", "keep": 1 }], "preprocessing": { "mean": [0.0], "deviation": [1.0] },
    });
    let evaluation = |kind, set, images, top1| Evaluation::new(kind, set, images, score(top1));
    let candidate = Candidate {
        index: 12,
        origin: Origin { strategy: StrategyName("sensitivity".into()), budget: Some(1), number: 3, is_probe: false },
        strategy: vec![8, 16],
        groups: vec![
            GroupKeep { group: "stem|a".into(), size: 16, kept: 8 },
            GroupKeep { group: "tail".into(), size: 64, kept: 16 },
        ],
        macs: 250_000,
        parameters: 12_000,
        bytes: Some(48_000),
        evaluations: vec![
            evaluation(EvaluationKind::Adapted, ImageSet::Scoring, 500, 0.85),
            evaluation(EvaluationKind::Adapted, ImageSet::Scoring, 1000, 0.86),
            evaluation(EvaluationKind::Adapted, ImageSet::Test, 400, 0.85),
            evaluation(EvaluationKind::Unadapted, ImageSet::Scoring, 100, 0.3),
        ],
        seconds: 1.0,
    };
    let latency = Latency {
        runtime: Runtime::Onnxruntime,
        device: "cpu".into(),
        threads: 1,
        batch_size: 1,
        runs: 50,
        milliseconds: 1.5,
        full_milliseconds: 3.0,
    };
    Stored {
        request: serde_json::from_value(body).unwrap(),
        baseline: Baseline {
            score: score(0.91),
            intervals: None,
            macs: 1_000_000,
            parameters: 40_000,
            bytes: Some(160_000),
            test: Some(score(0.9)),
            hits: None,
        },
        candidate,
        latencies: vec![latency],
        warnings: Vec::new(),
    }
}

fn file(format: &str) -> CardFile {
    CardFile {
        format: format.into(),
        opset: (format == "onnx").then_some(13),
        bytes: Some(50_000),
        hash: Some("5e".repeat(32)),
        sha256: Some("a2".repeat(32)),
    }
}

impl Stored {
    fn input(&self, weights: CardWeights) -> CardInput<'_> {
        CardInput {
            producer: "EagleEye 1.2.3",
            file: file("torchscript"),
            source: CardSource {
                name: "net|2".into(),
                file_name: "net 2.pt".into(),
                hash: "ab".repeat(32),
                input_shape: vec![1, 1, 28, 28],
                classes: Some(10),
            },
            weights,
            search: CardSearch {
                request: &self.request,
                baseline: &self.baseline,
                split: ReportedSplit { calibration: 1000, scoring: 1000, test: 400 },
                candidate: &self.candidate,
                latencies: &self.latencies,
                warnings: &self.warnings,
                adaptation: Adaptation::momentum(0.1, 100),
                dataset: "clothes",
                images_hash: "cd",
                labels_hash: Some("ef"),
                images: 60_000,
            },
            tuning: None,
        }
    }
}

fn warning(code: WarningCode) -> Warning {
    Warning { code, message: "Something <odd> was found.".into(), at: Moment::During }
}

fn tuned() -> (TuneOptions, TuningResult) {
    let result = TuningResult {
        full: score(0.91),
        before: score(0.86),
        validation: score(0.905),
        test: Some(score(0.89)),
        epochs: 3,
        training_images: 58_600,
        validation_images: 1000,
        test_images: 400,
        by_epoch: vec![0.5],
        seconds: Some(1.0),
        trained_by: None,
        filter_norms_before: None,
    };
    (TuneOptions { epochs: Some(3), seed: 11, ..TuneOptions::default() }, result)
}

#[test]
fn a_card_says_where_a_network_comes_from_and_how_well_it_does() {
    let mut stored = stored();
    stored.warnings = vec![warning(WarningCode::ALL[0])];
    let (options, result) = tuned();
    let input = CardInput { tuning: Some((&options, &result)), ..stored.input(CardWeights::Tuned) };
    let card = ModelCard::new(&input);
    let read: ModelCard = serde_json::from_value(serde_json::to_value(&card).unwrap()).unwrap();
    assert_eq!(read, card, "nothing is lost in JSON");
    let text = card.to_markdown();
    assert!(text == include_str!("card.md"), "the card is now:\n{text}");
}

#[test]
fn the_scores_are_those_on_most_images_in_the_order_of_what_was_done() {
    let stored = stored();
    let scores = ModelCard::new(&stored.input(CardWeights::Adapted)).scores;
    let found: Vec<(CardNetwork, ImageSet, u64, f64)> =
        scores.iter().map(|own| (own.network, own.image_set, own.images, own.score.top1)).collect();
    let expected = [
        (CardNetwork::Full, ImageSet::Scoring, 1000, 0.91),
        (CardNetwork::Full, ImageSet::Test, 400, 0.9),
        (CardNetwork::Unadapted, ImageSet::Scoring, 100, 0.3),
        (CardNetwork::Adapted, ImageSet::Scoring, 1000, 0.86),
        (CardNetwork::Adapted, ImageSet::Test, 400, 0.85),
    ];
    assert_eq!(found, expected);
    assert!(scores[0].intervals.top1.low < 0.91 && scores[0].intervals.top1.high > 0.91);
}

#[test]
fn the_request_of_a_card_is_a_search_for_this_candidate_alone() {
    let stored = stored();
    let card = ModelCard::new(&stored.input(CardWeights::Adapted));
    let request = card.repeat.request.unwrap();
    assert_eq!(request.faults(), []);
    assert_eq!((request.seed, request.calibration_images, request.scoring_images), (7, 1000, 1000));
    assert_eq!(request.test_images, Some(400), "the command line holds no images back by itself");
    assert_eq!(request.adaptation, Adaptation::momentum(0.1, 100), "the candidate's own");
    let body: Value = serde_json::to_value(&request).unwrap();
    assert_eq!(body["strategies"], json!(["manual"]));
    assert_eq!(body["manual"], json!([{ "groups": { "stem|a": 8, "tail": 16 } }]));
    assert_eq!(body.get("group_limits"), None, "limits are for strategies that are proposed");
}

#[test]
fn the_command_is_the_one_that_makes_these_weights() {
    let stored = stored();
    let (options, result) = tuned();
    let of = |weights, format: &str| {
        let tuning = (weights == CardWeights::Tuned).then_some((&options, &result));
        let input = CardInput { file: file(format), tuning, ..stored.input(weights) };
        ModelCard::new(&input).repeat
    };
    let images = "--input-shape 1,1,28,28 --images IMAGES --labels LABELS --request request.json";
    let expected = format!("eagleeye-worker search 'net 2.pt' {images} --out pruned.onnx --opset 13");
    assert_eq!(of(CardWeights::Adapted, "onnx").commands, [expected]);
    let expected = format!("eagleeye-worker repair 'net 2.pt' {images} --out pruned.safetensors");
    assert_eq!(of(CardWeights::Repaired, "safetensors").commands, [expected]);
    assert!(
        of(CardWeights::Repaired, "onnx").calls[1]
            .ends_with(r#"{"format": "onnx", "opset": 13, "weights": "repaired"}"#)
    );
    let tuned = of(CardWeights::Tuned, "torchscript");
    let expected = format!("eagleeye-worker tune 'net 2.pt' {images} --options options.json --out pruned.pt");
    assert_eq!(tuned.commands, [expected]);
    assert_eq!(tuned.calls.len(), 3);
}

#[test]
fn without_labels_no_score_is_called_an_accuracy() {
    let mut stored = stored();
    stored.warnings = vec![warning(WarningCode::Unlabelled)];
    let text = ModelCard::new(&stored.input(CardWeights::Adapted)).to_markdown();
    assert!(text.contains("Agreement with the full network on 400 test images: 85.0%"), "{text}");
    assert!(!text.contains("top-1"), "{text}");
}

#[test]
fn running_statistics_are_those_of_the_weights() {
    let stored = stored();
    let (options, result) = tuned();
    let repaired = TuneOptions { start: CandidateWeights::Repaired, ..options.clone() };
    let said = |weights, tuning| {
        let card = ModelCard::new(&CardInput { tuning, ..stored.input(weights) });
        (card.adaptation.is_some(), card.to_markdown())
    };
    let own = "averaged with momentum 0.1 over 100 batches";
    for (weights, tuning, is_adapted, statistics) in [
        (CardWeights::Adapted, None, true, format!("{own} |")),
        (CardWeights::Repaired, None, false, "those of the repaired network, over all calibration images |".to_owned()),
        (CardWeights::Tuned, Some((&options, &result)), true, format!("{own}; then trained |")),
        (CardWeights::Tuned, Some((&repaired, &result)), false, "calibration images; then trained |".to_owned()),
    ] {
        let (found, text) = said(weights, tuning);
        assert_eq!(found, is_adapted, "{weights:?}");
        assert!(text.contains(&statistics), "{weights:?}: {text}");
    }
}
