//! How to get a network again.

use super::input::CardInput;
use super::types::{CardRepeat, CardWeights};
use crate::manual::{Keep, MANUAL, ManualStrategy};
use crate::onnx_opset::DEFAULT_ONNX_OPSET;
use crate::request::{SearchRequest, StrategyName};

/// The candidate's search again, with this one strategy; then the candidate as a file.
pub(super) fn of_candidate(input: &CardInput) -> CardRepeat {
    let request = alone(input);
    let shape: Vec<String> = input.source.input_shape.iter().map(u64::to_string).collect();
    let labels = if input.search.labels_hash.is_some() { " --labels LABELS" } else { "" };
    let (command, further) = match input.weights {
        CardWeights::Repaired => ("repair", ""),
        CardWeights::Tuned => ("tune", " --options options.json"),
        CardWeights::Adapted | CardWeights::Unadapted => ("search", ""),
    };
    let written = shell_word(&input.source.file_name);
    let opset = input.file.opset.filter(|opset| *opset != DEFAULT_ONNX_OPSET);
    let opset = opset.map_or(String::new(), |opset| format!(" --opset {opset}"));
    let commands = vec![format!(
        "eagleeye-worker {command} {written} --input-shape {} --images IMAGES{labels} --request request.json{further} --out {}{opset}",
        shape.join(","),
        out(input),
    )];
    CardRepeat { request: Some(request), commands, calls: calls(input) }
}

/// The search that evaluates the candidate's strategy and no other, with the same images for the same purposes.
fn alone(input: &CardInput) -> SearchRequest {
    let search = &input.search;
    let keep = |kept: u64| Keep::Units(u32::try_from(kept).unwrap_or(u32::MAX));
    let groups = search.candidate.groups.iter().map(|group| (group.group.clone(), keep(group.kept))).collect();
    SearchRequest {
        name: None,
        strategies: vec![StrategyName(MANUAL.to_owned())],
        manual: vec![ManualStrategy { candidate_id: None, groups }],
        uniform_reference: false,
        macs: None,
        parameters: None,
        bytes: None,
        latency: None,
        budgets: Vec::new(),
        budget_range: None,
        front: false,
        candidates: 1,
        racing: false,
        group_limits: Vec::new(),
        // What is left out means another number on the command line.
        test_images: Some(u32::try_from(search.split.test).unwrap_or(u32::MAX)),
        repaired: 0,
        short_tuned: 0,
        adaptation: search.adaptation,
        ..search.request.clone()
    }
}

fn calls(input: &CardInput) -> Vec<String> {
    let mut calls = vec!["POST /api/v1/searches request.json".to_owned()];
    let opset = input.file.opset.map_or(String::new(), |opset| format!(", \"opset\": {opset}"));
    let body = |further: &str| format!("{{\"format\": \"{}\"{opset}{further}}}", input.file.format);
    match input.weights {
        CardWeights::Tuned => calls.extend([
            "POST /api/v1/candidates/ID/tunings options.json".to_owned(),
            format!("POST /api/v1/tunings/ID/checkpoints {}", body("")),
        ]),
        CardWeights::Repaired => {
            calls.push(format!("POST /api/v1/candidates/ID/checkpoints {}", body(", \"weights\": \"repaired\"")));
        }
        CardWeights::Adapted | CardWeights::Unadapted => {
            calls.push(format!("POST /api/v1/candidates/ID/checkpoints {}", body("")));
        }
    }
    calls
}

fn out(input: &CardInput) -> &'static str {
    match &*input.file.format {
        "onnx" => "pruned.onnx",
        "safetensors" => "pruned.safetensors",
        // Of a state_dict the commands write the network itself; the archive is made by the calls.
        _ => "pruned.pt",
    }
}

/// A word of a command line, as a shell reads it.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) && !word.starts_with('-') {
        return word.to_owned();
    }
    let path = if word.starts_with('-') { format!("./{word}") } else { word.to_owned() };
    format!("'{}'", path.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn a_name_is_one_word_of_the_command() {
        assert_eq!(shell_word("net.v2.pt"), "net.v2.pt");
        assert_eq!(shell_word("my net.pt"), "'my net.pt'");
        assert_eq!(shell_word("it's $(x).pt"), "'it'\\''s $(x).pt'");
        assert_eq!(shell_word("--help"), "'./--help'");
        assert_eq!(shell_word(""), "''");
    }
}
