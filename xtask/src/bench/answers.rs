//! How long the server takes to accept a search, and what those cost it who follow one in which nothing happens.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use reqwest::blocking::multipart::Form;
use serde_json::{Value, json};

use super::missed::Missed;
use crate::matrix::Script;
use crate::project::{command, release_binary, run, say};
use crate::server::{Api, Server, free_port};

const NETWORK: &str = "resnet50";
const REQUESTS: usize = 400;
/// What any channel count may be a multiple of.
const ROUND_TO: [u32; 14] = [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64];
/// Milliseconds within which 99 of 100 searches are accepted.
const P99_MS: f64 = 50.0;

const CLIENTS: usize = 300;
const WATCHED: Duration = Duration::from_secs(10);
/// Percents of a core.
const IDLE_PERCENT: f64 = 5.0;

/// Four images of each of two classes.
const IMAGES: &str = "import sys, numpy as np; rng = np.random.default_rng(0); np.savez(sys.argv[1], \
    images=rng.integers(0, 256, (8, 224, 224, 3), dtype=np.uint8), labels=np.arange(8) % 2)";

/// Measures a server without workers, so that nothing that it is asked for begins, and returns sentences.
pub fn measure(exporter: &mut Script, python: &Path, missed: &mut Missed) -> Result<String> {
    say("bench", "searches and their followers");
    let folder = tempfile::tempdir().context("cannot make a scratch folder")?;
    let server = Server::start_with(&release_binary("eagleeye"), free_port()?, folder.path(), &["--workers", "0"])?;
    let api = Api::new(&server)?;
    let (model, dataset) = upload(&api, exporter, python, folder.path())?;
    let requests = measure_requests(&api, &model, &dataset, missed)?;
    let followers = measure_followers(&api, &server, &model, &dataset, missed)?;
    Ok(format!("- {requests}\n- {followers}"))
}

fn upload(api: &Api, exporter: &mut Script, python: &Path, folder: &Path) -> Result<(Value, Value)> {
    exporter.ask(&json!(NETWORK))?;
    let files = exporter.answer()?;
    let files = files.as_array().context("export.py lists no files")?;
    let path = files.first().and_then(|file| file["path"].as_str()).context("export.py says no path")?;
    let model = api.upload("/models", Form::new().text("input_shape", "1,3,224,224").file("file", path)?)?;
    for file in files {
        let of_file = file["folder"].as_str().context("export.py says no folder")?;
        fs::remove_dir_all(of_file).context("cannot remove a network")?;
    }
    let images = folder.join("images.npz");
    run(command(python).args(["-c", IMAGES]).arg(&images))?;
    Ok((model, api.upload("/datasets", Form::new().file("file", images)?)?))
}

fn measure_requests(api: &Api, model: &Value, dataset: &Value, missed: &mut Missed) -> Result<String> {
    let mut took = Vec::with_capacity(REQUESTS);
    for (seed, round_to) in (0..REQUESTS).zip(ROUND_TO.into_iter().cycle()) {
        let request = request(model, dataset, seed, round_to);
        let began = Instant::now();
        api.post("/searches", &request)?;
        took.push(1000.0 * began.elapsed().as_secs_f64());
    }
    took.sort_by(f64::total_cmp);
    let (p50, p99) = (took[REQUESTS / 2], took[REQUESTS * 99 / 100]);
    missed.at_most(P99_MS, p99, "milliseconds within which 99 of 100 searches are accepted");
    Ok(format!(
        "Of {REQUESTS} requests for searches on {NETWORK} with {} values of `round_to`, 99% were accepted within {p99:.1} ms, \
         half within {p50:.1} ms.",
        ROUND_TO.len()
    ))
}

fn measure_followers(
    api: &Api,
    server: &Server,
    model: &Value,
    dataset: &Value,
    missed: &mut Missed,
) -> Result<String> {
    let search = api.post("/searches", &request(model, dataset, REQUESTS, 8))?;
    let path = format!("/searches/{}/events", search["id"].as_str().context("a search without an id")?);
    let mut streams = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        let mut stream = BufReader::new(api.events(&path)?);
        let mut line = String::new();
        stream.read_line(&mut line).context("a stream ended at once")?;
        streams.push(stream);
    }
    let (before, began) = (processor_time(server.process_id())?, Instant::now());
    sleep(WATCHED);
    let used = processor_time(server.process_id())?.saturating_sub(before);
    let percent = 100.0 * used.as_secs_f64() / began.elapsed().as_secs_f64();
    missed.at_most(IDLE_PERCENT, percent, "percents of a core for clients of a search in which nothing happens");
    Ok(format!("{CLIENTS} clients that followed a search in which nothing happened took {percent:.2}% of a core."))
}

fn request(model: &Value, dataset: &Value, seed: usize, round_to: u32) -> Value {
    json!({
        "model_id": model["id"], "dataset_id": dataset["id"], "macs": 0.5, "candidates": 10, "seed": seed,
        "round_to": round_to, "calibration_images": 4, "scoring_images": 4, "batch_size": 4,
        "preprocessing": { "mean": [0.485, 0.456, 0.406], "deviation": [0.229, 0.224, 0.225] },
    })
}

/// Processor time that a process has used, all its threads together.
fn processor_time(process: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("the server is gone")?;
    let fields: Vec<&str> = stat.rsplit_once(") ").context("/proc has another form")?.1.split(' ').collect();
    let ticks = |index: usize| {
        let field = fields.get(index).with_context(|| format!("/proc has no field {index} behind the name"))?;
        field.parse::<u64>().with_context(|| format!("`{field}` is not a number of ticks"))
    };
    // utime and stime (proc(5)), in ticks, of which there are a hundred in a second wherever Linux runs.
    Ok(Duration::from_millis(10 * (ticks(11)? + ticks(12)?)))
}
