//! The main job, end to end: upload a network and a dataset, search, and show who won.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::blocking::multipart::Form;
use serde_json::{Value, json};

use crate::project::{Build, build, root, say};
use crate::server::{Api, Server, free_port};
use crate::setup;

#[derive(Args)]
pub struct Options {
    /// Stop when the search is over, instead of keeping the page up.
    #[arg(long)]
    exit: bool,
    /// Port to serve on; with --exit, any free one.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Strategies to evaluate.
    #[arg(long, default_value_t = 24)]
    candidates: u32,
    /// Fraction of the multiply-adds to keep.
    #[arg(long, default_value_t = 0.5)]
    macs: f64,
}

pub fn run(options: &Options) -> Result<()> {
    setup::ensure()?;
    setup::page()?;
    build(Build::Programs)?;
    let scratch = tempfile::tempdir().context("cannot make a scratch folder")?;
    let (port, data) = match options.exit {
        true => (free_port()?, scratch.path().to_owned()),
        false => (options.port, root().join("data")),
    };
    say("demo", format!("starting the server on 127.0.0.1:{port}"));
    let mut server = Server::start(port, &data)?;
    let api = Api::new(&server)?;

    let (model, dataset) = upload_example(&api)?;
    let search = api.post("/searches", &request(&model, &dataset, options))?;
    let search = follow(&api, text(&search, "id")?)?;
    leaderboard(&api, &search)?;
    download_winner(&api, &search)?;
    if options.exit {
        return Ok(());
    }
    say("demo", format!("the page is at {}/searches/{} (stop with Ctrl-C)", server.url, text(&search, "id")?));
    server.wait()
}

/// Uploads `examples/` and returns the ids of the model and the dataset.
pub fn upload_example(api: &Api) -> Result<(String, String)> {
    let examples = root().join("examples");
    say("demo", "uploading examples/mobilenet_v1.pt");
    let form = Form::new().text("name", "MobileNetV1 on Fashion-MNIST").text("input_shape", "1,1,28,28");
    let model = api.upload("/models", form.file("file", examples.join("mobilenet_v1.pt"))?)?;
    say("demo", format!("{} MMACs, {} parameters", mega(&model["macs"]), model["parameters"]));
    say("demo", "uploading 9,500 images of Fashion-MNIST");
    let form = Form::new()
        .text("name", "Fashion-MNIST, 9,500 images")
        .file("images", examples.join("fashion-mnist-images-idx3-ubyte.gz"))?
        .file("labels", examples.join("fashion-mnist-labels-idx1-ubyte.gz"))?;
    let dataset = api.upload("/datasets", form)?;
    Ok((text(&model, "id")?.to_owned(), text(&dataset, "id")?.to_owned()))
}

fn request(model: &str, dataset: &str, options: &Options) -> Value {
    json!({
        "model_id": model,
        "dataset_id": dataset,
        "name": format!("MobileNetV1 at {:.0}% of its multiply-adds", options.macs * 100.0),
        "macs": options.macs,
        "candidates": options.candidates,
        "seed": 7,
        "calibration_images": 3200,
        "scoring_images": 5000,
        "preprocessing": { "mean": [0.2860], "deviation": [0.3530], "scale": 1.0 / 255.0 },
    })
}

/// Shows a search's progress until it ends.
pub fn follow(api: &Api, id: &str) -> Result<Value> {
    let style = ProgressStyle::with_template("    demo: {msg:<40} [{bar:30}] {pos}/{len}")?;
    let bar = ProgressBar::new(1).with_style(style);
    loop {
        let search = api.get(&format!("/searches/{id}"))?;
        let progress = &search["progress"];
        bar.set_length(progress["total"].as_u64().unwrap_or(1));
        bar.set_position(progress["done"].as_u64().unwrap_or(0));
        bar.set_message(progress["phase"].as_str().unwrap_or("waiting for a worker").to_owned());
        match text(&search, "state")? {
            "succeeded" => {
                bar.finish_and_clear();
                return Ok(search);
            }
            "failed" | "cancelled" => bail!("the search ended as {}: {}", search["state"], search["error"]),
            _ => sleep(Duration::from_millis(300)),
        }
    }
}

/// Prints the ten best candidates, with what the same weights score on the unpruned network's batch-norm statistics.
fn leaderboard(api: &Api, search: &Value) -> Result<()> {
    let page = api.get(&format!("/searches/{}/candidates?sort=-top1&limit=10", text(search, "id")?))?;
    let baseline = &search["baseline"];
    println!("\n rank  candidate   MMACs  parameters   top-1   top-1 without adaptive BN");
    println!(
        "       unpruned   {:>6}  {:>10}  {}",
        mega(&baseline["macs"]),
        baseline["parameters"],
        top1(&baseline["score"])
    );
    for (rank, candidate) in page["items"].as_array().context("no list of candidates")?.iter().enumerate() {
        println!(
            "{:>5}  {:>9}  {:>6}  {:>10}  {}  {}",
            rank + 1,
            candidate["index"],
            mega(&candidate["macs"]),
            candidate["parameters"],
            top1(&candidate["score"]),
            top1(&candidate["score_without_adaptation"]),
        );
    }
    println!();
    Ok(())
}

/// Waits for the winner's files, which the search exports by itself, and fetches each.
fn download_winner(api: &Api, search: &Value) -> Result<()> {
    let checkpoints = format!("/candidates/{}/checkpoints", text(search, "best_candidate_id")?);
    let mut ready = Vec::new();
    while ready.len() < 3 {
        let page = api.get(&checkpoints)?;
        let items = page["items"].as_array().context("no list of checkpoints")?.clone();
        if let Some(failed) = items.iter().find(|c| c["state"] == "failed") {
            bail!("the export to {} failed: {}", failed["format"], failed["error"]);
        }
        ready = items.into_iter().filter(|c| c["state"] == "ready").collect();
        sleep(Duration::from_millis(300));
    }
    for checkpoint in ready {
        let bytes = api.download(&format!("/checkpoints/{}/file", text(&checkpoint, "id")?))?;
        let difference = checkpoint["max_difference"].as_f64().unwrap_or(f64::NAN);
        say("demo", format!("winner as {}: {bytes} bytes, differs by {difference:.1e}", text(&checkpoint, "format")?));
    }
    Ok(())
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().with_context(|| format!("the answer has no `{field}`: {value}"))
}

fn mega(macs: &Value) -> String {
    format!("{:.2}", macs.as_f64().unwrap_or(f64::NAN) / 1e6)
}

fn top1(score: &Value) -> String {
    format!("{:.4}", score["top1"].as_f64().unwrap_or(f64::NAN))
}
