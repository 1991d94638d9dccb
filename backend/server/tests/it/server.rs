//! A server on a port of its own, and the calls that tests make.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use reqwest::blocking::multipart::{Form, Part};
use reqwest::blocking::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::answer::{Answer, id};
use crate::contract::{self, Asked};

/// A running `eagleeye serve`; it is stopped when dropped.
pub struct Server {
    child: Child,
    /// `http://127.0.0.1:PORT`, without a path.
    pub address: String,
    pub client: Client,
}

impl Server {
    /// A server whose uploads are checked by `fake_worker.sh`, and which starts no worker for its searches.
    pub fn fake(data: &Path) -> Self {
        Self::fake_with(data, &["--workers", "0"])
    }

    pub fn fake_with(data: &Path, flags: &[&str]) -> Self {
        let worker = fake_worker();
        let worker = ["--worker-binary", worker.to_str().unwrap()];
        Self::start(Command::new(program()).arg("serve").arg("--data").arg(data).args(worker).args(flags))
    }

    /// A server with real workers.
    pub fn real(data: &Path, flags: &[&str]) -> Self {
        worker_program();
        Self::start(Command::new(program()).arg("serve").arg("--data").arg(data).args(flags))
    }

    /// Starts what `command` says on a free port, and waits until it listens.
    pub fn start(command: &mut Command) -> Self {
        command.env("RUST_LOG", "info").env("EAGLEEYE_PORT", "0").env_remove("TMPDIR");
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (found, address) = mpsc::channel();
        let log = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if let Some((_, address)) = line.split_once("listening on ") {
                    let _ = found.send(address.trim().to_owned());
                }
                // What a failed test printed is shown; the log helps to tell why.
                eprintln!("server: {line}");
            }
        });
        let address = address.recv_timeout(Duration::from_secs(30)).expect("the server listens");
        let client = Client::builder().timeout(Duration::from_secs(120)).build().unwrap();
        Self { child, address, client }
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// `host:port`.
    pub fn host(&self) -> &str {
        self.address.trim_start_matches("http://")
    }

    /// The address of a path below the API.
    pub fn url(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path, |request| request)
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, |request| request.json(body))
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, |request| request)
    }

    pub fn upload(&self, path: &str, form: Form) -> Answer {
        self.call("POST", path, |request| request.multipart(form))
    }

    /// Sends a request below the API. Whatever comes back must be what the document announces, and not a failure.
    pub fn call(&self, method: &str, path: &str, with: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Answer {
        self.ask(Asked::Documented, method, &format!("/api/v1{path}"), with)
    }

    /// Sends a request below the API that must fail with 500, since the test has broken what it needs.
    pub fn call_broken(&self, method: &str, path: &str, with: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Answer {
        self.ask(Asked::Broken, method, &format!("/api/v1{path}"), with)
    }

    /// Sends a request to any address of the server, and holds the answer against the document.
    pub fn ask(
        &self,
        asked: Asked,
        method: &str,
        path: &str,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Answer {
        let request = self.client.request(method.parse().unwrap(), format!("{}{path}", self.address));
        let answer = Answer::of(with(request).send().unwrap());
        contract::check(asked, method, path, &answer);
        answer
    }

    /// `GET` below the API, with the body left to be read; the head must be what the document announces.
    pub fn stream(&self, path: &str, with: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Response {
        let response = with(self.client.get(self.url(path))).send().unwrap();
        contract::check(Asked::Documented, "GET", &format!("/api/v1{path}"), &Answer::head_of(&response));
        response
    }

    /// The answer of `/health`.
    pub fn health(&self) -> Answer {
        self.ask(Asked::Documented, "GET", "/health", |request| request)
    }

    /// Uploads a model that the fake worker knows by its content.
    pub fn model(&self, content: &str) -> Value {
        self.upload("/models", file("file", "network.pt", content)).expect(201)
    }

    /// Uploads a dataset that the fake worker knows by its content.
    pub fn dataset(&self, content: &str) -> Value {
        self.upload("/datasets", file("file", "images.npz", content)).expect(201)
    }

    /// Queues a search on a model and a dataset that fit, and returns its id.
    pub fn search(&self) -> String {
        let request = request(&id(&self.model("good")), &id(&self.dataset("good")));
        id(&self.post("/searches", &request).expect(202))
    }

    /// Ends the server without giving it a chance to clean up.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the server to end, and says how long it took.
    pub fn stop(mut self) -> Duration {
        let asked = Instant::now();
        self.terminate();
        until("the server has ended", Duration::from_secs(20), || self.child.try_wait().unwrap().map(drop));
        asked.elapsed()
    }

    fn terminate(&self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).stderr(Stdio::null()).status();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.terminate();
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

pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_eagleeye"))
}

/// The worker that lies beside the server.
pub fn worker_program() -> PathBuf {
    let worker = program().with_file_name("eagleeye-worker");
    assert!(worker.exists(), "build the worker first: cargo build -p eagleeye-worker");
    worker
}

pub fn fake_worker() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fake_worker.sh")
}

/// A folder and a server with the fake worker in it.
pub fn fake() -> (TempDir, Server) {
    let data = tempfile::tempdir().unwrap();
    let server = Server::fake(data.path());
    (data, server)
}

/// A form with one file.
pub fn file(part: &'static str, name: &str, content: impl Into<Vec<u8>>) -> Form {
    Form::new().part(part, Part::bytes(content.into()).file_name(name.to_owned()))
}

/// A search that fits what the fake worker reports on good files.
pub fn request(model: &str, dataset: &str) -> Value {
    json!({
        "model_id": model, "dataset_id": dataset, "strategies": ["random"], "macs": 0.5, "candidates": 4, "seed": 7,
        "calibration_images": 20, "scoring_images": 30,
        "preprocessing": { "mean": [0.286], "deviation": [0.353] },
    })
}

/// All files of the store in a data folder, those of uploads under way included.
pub fn stored_files(data: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(data.join("files")) else { return Vec::new() };
    let mut found = Vec::new();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    while let Some(path) = paths.pop() {
        match std::fs::read_dir(&path) {
            Ok(entries) => paths.extend(entries.map(|entry| entry.unwrap().path())),
            // What says whose files these are is none of them.
            Err(_) if path.ends_with("store-id") => {}
            Err(_) => found.push(path),
        }
    }
    found
}

/// Neither rows nor files; uploads that were given up are removed in the background.
pub fn assert_nothing_left(server: &Server, data: &Path) {
    for list in ["/models", "/datasets", "/searches"] {
        assert_eq!(server.get(list).expect(200)["items"], json!([]), "{list}");
    }
    until("no file is left", Duration::from_secs(10), || stored_files(data).is_empty().then_some(()));
}

/// Polls until something is there; fails after the given time.
pub fn until<T>(what: &str, patience: Duration, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(value) = poll() {
            return value;
        }
        assert!(Instant::now() < deadline, "gave up waiting until {what}");
        sleep(Duration::from_millis(20));
    }
}
