//! A server with real workers on a free port, and the calls that the tests make.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use reqwest::blocking::{Client, Response, multipart::Form};
use serde_json::{Value, json};

pub struct Server {
    child: Child,
    pub api: String,
    client: Client,
}

impl Server {
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    pub fn start_with(data: &Path, flags: &[&str]) -> Self {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_eagleeye"));
        let worker = program.with_file_name("eagleeye-worker");
        assert!(worker.exists(), "build the worker first: cargo build -p eagleeye-worker");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(&program);
        command.args(["serve", "--port", &port.to_string(), "--data"]).arg(data).args(flags);
        command.env("RUST_LOG", "warn").stdin(Stdio::null());
        let child = command.spawn().unwrap();
        let client = Client::builder().timeout(Duration::from_secs(120)).build().unwrap();
        let server = Self { child, api: format!("http://127.0.0.1:{port}/api/v1"), client };
        let health = format!("http://127.0.0.1:{port}/health");
        until("the server answers", Duration::from_secs(30), || {
            server.client.get(&health).send().is_ok_and(|r| r.status().is_success()).then_some(())
        });
        server
    }

    pub fn get(&self, path: &str) -> Value {
        let response = self.client.get(format!("{}{path}", self.api)).send().unwrap();
        let status = response.status();
        let body: Value = response.json().unwrap();
        assert!(status.is_success(), "GET {path}: {body}");
        body
    }

    pub fn post(&self, path: &str, body: &Value) -> Response {
        self.client.post(format!("{}{path}", self.api)).json(body).send().unwrap()
    }

    pub fn upload(&self, path: &str, form: Form) -> Response {
        self.client.post(format!("{}{path}", self.api)).multipart(form).send().unwrap()
    }

    pub fn download(&self, path: &str) -> Vec<u8> {
        let response = self.client.get(format!("{}{path}", self.api)).send().unwrap();
        response.error_for_status().unwrap().bytes().unwrap().to_vec()
    }

    /// Uploads the repository's example and returns the ids of model and dataset.
    pub fn upload_example(&self) -> (String, String) {
        let form = Form::new().text("input_shape", "1,1,28,28").file("file", example("mobilenet_v1.pt")).unwrap();
        let model = created(self.upload("/models", form));
        let form = Form::new()
            .file("images", example("fashion-mnist-images-idx3-ubyte.gz"))
            .unwrap()
            .file("labels", example("fashion-mnist-labels-idx1-ubyte.gz"))
            .unwrap();
        let dataset = created(self.upload("/datasets", form));
        (id(&model), id(&dataset))
    }

    /// Candidates in the order of their index.
    pub fn candidates(&self, search: &str) -> Vec<Value> {
        let page = self.get(&format!("/searches/{search}/candidates?limit=100"));
        let mut items = page["items"].as_array().unwrap().clone();
        items.sort_by_key(|c| c["index"].as_u64());
        items
    }

    pub fn wait_for_end(&self, search: &str) -> Value {
        until("the search ends", Duration::from_secs(300), || {
            let search = self.get(&format!("/searches/{search}"));
            let ended = ["succeeded", "failed", "cancelled"].contains(&search["state"].as_str().unwrap());
            ended.then_some(search)
        })
    }

    /// Process ids of the workers that the server started.
    pub fn workers(&self) -> Vec<u32> {
        children(self.child.id())
    }

    /// Ends the server without giving it a chance to clean up.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).stderr(Stdio::null()).status();
        for _ in 0..100 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A small search on the example.
pub fn request(model: &str, dataset: &str) -> Value {
    json!({
        "model_id": model,
        "dataset_id": dataset,
        "macs": 0.5,
        "candidates": 6,
        "seed": 7,
        "calibration_images": 640,
        "scoring_images": 1000,
        "preprocessing": { "mean": [0.2860], "deviation": [0.3530], "scale": 1.0 / 255.0 },
    })
}

pub fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

pub fn created(response: Response) -> Value {
    let status = response.status();
    let body: Value = response.json().unwrap();
    assert!(status.is_success(), "{status}: {body}");
    body
}

pub fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

/// Polls until something is there; fails after the given time.
pub fn until<T>(what: &str, patience: Duration, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(Instant::now() < deadline, "gave up waiting until {what}");
        sleep(Duration::from_millis(50));
    }
}

/// Process ids whose parent is `parent`, from `/proc/*/stat`.
fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|e| e.file_name().to_string_lossy().parse::<u32>().ok());
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The command in parentheses may hold spaces; state and parent follow the last one.
        let after = stat.rsplit(')').next().unwrap_or_default();
        let mut fields = after.split_whitespace();
        let state = fields.next();
        state != Some("Z") && fields.next() == Some(&parent.to_string())
    })
    .collect()
}
