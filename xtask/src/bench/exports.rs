//! How long it takes from asking for a file of a search's winner until it can be downloaded.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::missed::Missed;
use crate::demo::upload_example;
use crate::project::{release_binary, say};
use crate::server::{Api, Server, free_port};

/// Versions of ONNX's operators that no search exports by itself, so that each is another file.
const OPSETS: [u32; 8] = [13, 14, 15, 16, 18, 19, 20, 21];
/// Files that a search has its winner exported to.
const AUTOMATIC: usize = 3;
/// Seconds from a request until its file can be downloaded.
const LIMIT: f64 = 2.0;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// Nothing here takes as long.
const PATIENCE: Duration = Duration::from_secs(600);

/// Searches on the example, has the winner exported again and again, and returns sentences.
pub fn measure(missed: &mut Missed) -> Result<String> {
    say("bench", "exports of a search's winner");
    let folder = tempfile::tempdir().context("cannot make a scratch folder")?;
    let arguments = ["--workers", "1", "--device", "cpu"];
    let server = Server::start_with(&release_binary("eagleeye"), free_port()?, folder.path(), &arguments)?;
    let api = Api::new(&server)?;
    let winner = search(&api)?;
    let requests = OPSETS.map(|opset| json!({ "format": "onnx", "opset": opset }));
    let onnx = requests.iter().map(|request| export(&api, &winner, request)).collect::<Result<Vec<_>>>()?;
    let state_dict = export(&api, &winner, &json!({ "format": "state_dict" }))?;
    let (median, largest) = median_and_largest(onnx);
    missed.at_most(LIMIT, largest, "seconds until an ONNX file is ready, the slowest");
    missed.at_most(LIMIT, state_dict, "seconds until a `state_dict` is ready");
    Ok(format!(
        "- Of {} ONNX files, each in another version of the operators, half were ready within {median:.2} s and all within \
         {largest:.2} s.\n- The `state_dict` archive was ready within {state_dict:.2} s.",
        OPSETS.len()
    ))
}

/// Id of the winner of a search that is over, and whose own exports are.
fn search(api: &Api) -> Result<String> {
    let (model, dataset) = upload_example(api)?;
    let request = json!({
        "model_id": model, "dataset_id": dataset, "macs": 0.5, "candidates": 6, "calibration_images": 1024,
        "scoring_images": 2000, "preprocessing": { "mean": [0.2860], "deviation": [0.3530], "scale": 1.0 / 255.0 },
    });
    let search = api.post("/searches", &request)?;
    let search = wait(api, &format!("/searches/{}", id(&search)?), "succeeded")?;
    let winner = search["best_candidate_id"].as_str().context("the search has no winner")?;
    let checkpoints = api.get(&format!("/candidates/{winner}/checkpoints"))?;
    let checkpoints = checkpoints["items"].as_array().context("no list of checkpoints")?;
    ensure!(checkpoints.len() == AUTOMATIC, "the search exports its winner to {} files", checkpoints.len());
    for checkpoint in checkpoints {
        wait(api, &format!("/checkpoints/{}", id(checkpoint)?), "ready")?;
    }
    Ok(winner.to_owned())
}

/// Seconds from a request to the file.
fn export(api: &Api, candidate: &str, request: &Value) -> Result<f64> {
    let began = Instant::now();
    let checkpoint = api.post(&format!("/candidates/{candidate}/checkpoints"), request)?;
    ensure!(checkpoint["state"] != "ready", "{request} had been exported before");
    wait(api, &format!("/checkpoints/{}", id(&checkpoint)?), "ready")?;
    Ok(began.elapsed().as_secs_f64())
}

/// Asks until something is in the state that it should come to.
fn wait(api: &Api, path: &str, wanted: &str) -> Result<Value> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let found = api.get(path)?;
        match found["state"].as_str().with_context(|| format!("{path} has no state"))? {
            state if state == wanted => return Ok(found),
            state @ ("failed" | "cancelled") => bail!("{path} is {state}: {}", found["error"]),
            _ => sleep(PAUSE),
        }
    }
    bail!("{path} is not {wanted} after {} s", PATIENCE.as_secs())
}

fn id(created: &Value) -> Result<&str> {
    created["id"].as_str().context("an answer without an id")
}

/// The larger of the two in the middle stands for both; of nothing, no number.
fn median_and_largest(mut seconds: Vec<f64>) -> (f64, f64) {
    seconds.sort_by(f64::total_cmp);
    let median = seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN);
    (median, seconds.last().copied().unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_are_at_most_the_median_and_all_at_most_the_largest() {
        assert_eq!(median_and_largest(vec![4.0, 1.0, 3.0]), (3.0, 4.0));
        assert_eq!(median_and_largest(vec![4.0, 1.0, 3.0, 2.0]), (3.0, 4.0));
        let (median, largest) = median_and_largest(Vec::new());
        assert!(median.is_nan() && largest.is_nan());
    }
}
