//! How to get a network again.

use super::input::CardInput;
use super::types::{CardRepeat, CardWeights};
use crate::manual::{Keep, MANUAL, ManualStrategy};
use crate::request::{SearchRequest, StrategyName};

/// The candidate's search again, with this one strategy; then the candidate as a file.
pub(super) fn of_candidate(input: &CardInput) -> CardRepeat {
    let request = alone(input);
    let shape: Vec<String> = input.source.input_shape.iter().map(u64::to_string).collect();
    let labels = if input.search.labels_hash.is_some() { " --labels LABELS" } else { "" };
    let (command, further) = match (input.weights, &input.tuning) {
        (CardWeights::Repaired, _) => ("repair", String::new()),
        (CardWeights::Tuned, Some((start, ..))) => ("tune", format!(" --from {} --options options.json", start.name())),
        _ => ("search", String::new()),
    };
    let written = command_line(&input.source.file_name);
    let commands = vec![format!(
        "eagleeye-worker {command} {written} --input-shape {} --images IMAGES{labels} --request request.json{further} --out {}",
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
        adaptation: search.adaptation,
        ..search.request.clone()
    }
}

fn calls(input: &CardInput) -> Vec<String> {
    let mut calls = vec!["POST /api/v1/searches request.json".to_owned()];
    let format = input.file.as_ref().map_or("state_dict", |file| &file.format);
    let body = |further: &str| format!("{{\"format\": \"{format}\"{further}}}");
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
    match input.file.as_ref().map_or("", |file| &file.format) {
        "torchscript" => "pruned.pt",
        "onnx" => "pruned.onnx",
        "safetensors" => "pruned.safetensors",
        // Of a candidate the commands write the network itself; the archive is made by the calls.
        _ => "pruned.pt",
    }
}

/// A word of a command line, as a shell reads it.
pub fn command_line(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) && !word.starts_with('-') {
        return word.to_owned();
    }
    let path = if word.starts_with('-') { format!("./{word}") } else { word.to_owned() };
    format!("'{}'", path.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::command_line;

    #[test]
    fn a_name_is_one_word_of_the_command() {
        assert_eq!(command_line("net.v2.pt"), "net.v2.pt");
        assert_eq!(command_line("my net.pt"), "'my net.pt'");
        assert_eq!(command_line("it's $(x).pt"), "'it'\\''s $(x).pt'");
        assert_eq!(command_line("--help"), "'./--help'");
        assert_eq!(command_line(""), "''");
    }
}
