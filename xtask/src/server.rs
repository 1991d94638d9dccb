//! A server for the demo and the browser test, and the few REST calls that they make.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use reqwest::blocking::{Client, Response, multipart::Form};
use serde_json::Value;

use crate::project::{binary, command};

/// A running `eagleeye serve`, stopped when dropped.
pub struct Server {
    child: Child,
    pub url: String,
}

impl Server {
    /// Starts a server with its data in the given folder and waits until it answers.
    pub fn start(port: u16, data: &Path) -> Result<Self> {
        Self::start_with(&binary("eagleeye"), port, data, &[])
    }

    /// The same with a server built otherwise, whose worker lies beside it, and further arguments.
    pub fn start_with(program: &Path, port: u16, data: &Path, more: &[&str]) -> Result<Self> {
        let mut serve = command(program);
        serve.arg("serve").args(["--port", &port.to_string()]).arg("--data").arg(data).args(more);
        serve.env("RUST_LOG", std::env::var("RUST_LOG").unwrap_or_else(|_| "warn".into())).stdin(Stdio::null());
        let child = serve.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let mut server = Self { child, url: format!("http://127.0.0.1:{port}") };
        server.wait_until_ready()?;
        Ok(server)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let client = Client::new();
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended at once: {status}");
            }
            if client.get(format!("{}/health", self.url)).send().is_ok_and(|r| r.status().is_success()) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("the server did not answer on {} within a minute", self.url)
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the server ends by itself.
    pub fn wait(&mut self) -> Result<()> {
        self.child.wait().context("cannot wait for the server").map(|_| ())
    }
}

impl Drop for Server {
    /// Asks the server to stop, so that it can stop its workers; a server that does not is killed.
    fn drop(&mut self) {
        // `kill` rather than `Child::kill`: the latter sends SIGKILL, which leaves no time to stop the workers.
        let _ = command("kill").arg(self.child.id().to_string()).status();
        for _ in 0..100 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free at this moment.
pub fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port")?;
    Ok(listener.local_addr()?.port())
}

/// The REST API as any client would use it.
pub struct Api {
    client: Client,
    base: String,
}

impl Api {
    pub fn new(server: &Server) -> Result<Self> {
        let client = Client::builder().timeout(Duration::from_secs(600)).build().context("cannot make a client")?;
        Ok(Self { client, base: format!("{}/api/v1", server.url) })
    }

    pub fn get(&self, path: &str) -> Result<Value> {
        json(self.client.get(format!("{}{path}", self.base)).send()?)
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        json(self.client.post(format!("{}{path}", self.base)).json(body).send()?)
    }

    pub fn upload(&self, path: &str, form: Form) -> Result<Value> {
        json(self.client.post(format!("{}{path}", self.base)).multipart(form).send()?)
    }

    /// A stream of events, which goes on until it is dropped.
    pub fn events(&self, path: &str) -> Result<Response> {
        Ok(self.client.get(format!("{}{path}", self.base)).send()?.error_for_status()?)
    }

    /// Size of a download in bytes.
    pub fn download(&self, path: &str) -> Result<usize> {
        let response = self.client.get(format!("{}{path}", self.base)).send()?.error_for_status()?;
        Ok(response.bytes()?.len())
    }
}

fn json(response: Response) -> Result<Value> {
    let (status, url) = (response.status(), response.url().clone());
    let body: Value = response.json().with_context(|| format!("{url} answered {status} without JSON"))?;
    if !status.is_success() {
        bail!("{url} answered {status}: {}", body["detail"].as_str().unwrap_or_default());
    }
    Ok(body)
}
