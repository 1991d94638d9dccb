//! A Python script that answers JSON lines with JSON lines, for as long as the matrix runs.

use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::project::{command, root};

/// One of the scripts in `xtask/python`.
pub fn script(python: &Path, name: &str) -> Command {
    let mut script = command(python);
    script.arg(root().join("xtask/python").join(name));
    script
}

/// A running script. Importing PyTorch for each question would take longer than the answer.
pub struct Script {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Script {
    pub fn start(mut script: Command) -> Result<Self> {
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start Python")?;
        let questions = child.stdin.take().context("the script has no input")?;
        let answers = BufReader::new(child.stdout.take().context("the script has no output")?);
        Ok(Self { child, questions, answers })
    }

    /// Asks without waiting for the answer.
    pub fn ask(&mut self, question: &Value) -> Result<()> {
        writeln!(self.questions, "{question}").context("the script does not listen")
    }

    pub fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the script ended without an answer");
        }
        serde_json::from_str(&line).with_context(|| format!("the script answered `{}`", line.trim()))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
