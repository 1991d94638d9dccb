//! The file that a study goes on from: what has been found, a line each, in the order in which it was found.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use eagleeye_spec::{Candidate, Evaluation, SearchRequest, TuneOptions};
use eagleeye_study::{Trained, Tuning};
use serde::{Deserialize, Serialize};

/// Why results cannot be kept or gone on from.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    #[error("`--results {}`: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("`--results {}`, line {line}: {source}", path.display())]
    Line { path: PathBuf, line: usize, source: serde_json::Error },
    #[error(
        "`--results {}` is of another study: {field} differs; name another file, or remove this one to begin anew",
        path.display()
    )]
    Plan { path: PathBuf, field: &'static str },
    #[error("`--results {}` is written by another process, which must end first", path.display())]
    InUse { path: PathBuf },
    #[error("`--results {}` does not begin with what was studied; it is no file of a study", path.display())]
    NoPlan { path: PathBuf },
}

/// What is studied. Results of another plan are not gone on from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Hash of the model's file.
    pub source: String,
    /// Hashes of the files with images and labels, those of the test images behind the others.
    pub data: Vec<String>,
    pub request: SearchRequest,
    /// Of each fine-tuning, but for its seed.
    pub options: TuneOptions,
    pub seeds: Vec<u64>,
    /// Threads of one operation, and the device: with others the same command gives other numbers.
    pub threads: i32,
    pub device: String,
    pub training_images: u64,
    pub test_images: u64,
}

/// What the line of a fine-tuning begins with.
const TUNING: &str = r#"{"tuning":"#;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Plan(Box<Plan>),
    Candidate(Box<Candidate>),
    Evaluation {
        candidate: u32,
        evaluation: Box<Evaluation>,
    },
    /// The search is over.
    Searched(bool),
    Tuning {
        candidate: u32,
        tuning: Box<Tuning>,
    },
}

/// What has been found so far.
#[derive(Debug)]
pub struct Results {
    path: PathBuf,
    file: File,
    pub candidates: Vec<Candidate>,
    pub is_searched: bool,
    tunings: BTreeMap<(u32, u64), Tuning>,
}

impl Results {
    /// Those of a file, which is made where there is none. `is_first` is for the one process that may remove a line that
    /// was not finished, and that nobody else may be beside; its parts leave such a line out.
    ///
    /// # Errors
    /// Where the file is of another plan, or cannot be read or written.
    pub fn open(path: &Path, plan: &Plan, is_first: bool) -> Result<Self, ResultsError> {
        let failed = |source| ResultsError::File { path: path.to_owned(), source };
        let file = OpenOptions::new().create(true).append(true).read(true).open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(ResultsError::NoPlan { path: path.to_owned() });
        }
        let locked = if is_first { file.try_lock() } else { file.try_lock_shared() };
        locked.map_err(|_| ResultsError::InUse { path: path.to_owned() })?;
        let bytes = std::fs::read(path).map_err(failed)?;
        // A line that a kill has cut may end within a character.
        let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let text = String::from_utf8_lossy(&bytes[..whole]);
        let mut results =
            Self { path: path.to_owned(), file, candidates: Vec::new(), is_searched: false, tunings: BTreeMap::new() };
        let mut lines = text.lines().enumerate();
        match lines.next() {
            None if bytes.is_empty() => results.add(&Line::Plan(Box::new(plan.clone())))?,
            None => return Err(ResultsError::NoPlan { path: path.to_owned() }),
            Some((number, line)) => match results.read(number, line)? {
                Line::Plan(found) => agree(path, &found, &as_read(plan).map_err(failed)?)?,
                _ => return Err(ResultsError::NoPlan { path: path.to_owned() }),
            },
        }
        for (number, line) in lines {
            match results.read(number, line) {
                Ok(line) => results.take(line),
                // One process could write a part of its line, as on a full disk, and another went on behind it.
                Err(error) if line.starts_with(TUNING) => tracing::warn!(%error, "a fine-tuning is done again"),
                Err(error) => return Err(error),
            }
        }
        if is_first && whole < bytes.len() {
            results.file.set_len(whole as u64).map_err(failed)?;
        }
        Ok(results)
    }

    /// Lets the parts of this process write, too. Until the last of them has ended, nobody else begins.
    pub fn share(&self) -> Result<(), ResultsError> {
        let shared = self.file.unlock().and_then(|()| self.file.lock_shared());
        shared.map_err(|source| ResultsError::File { path: self.path.clone(), source })
    }

    fn read(&self, number: usize, line: &str) -> Result<Line, ResultsError> {
        serde_json::from_str(line).map_err(|source| ResultsError::Line {
            path: self.path.clone(),
            line: number + 1,
            source,
        })
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Plan(_) => {}
            Line::Candidate(candidate) => self.candidates.push(*candidate),
            Line::Evaluation { candidate, evaluation } => {
                if let Some(found) = self.candidates.iter_mut().find(|found| found.index == candidate) {
                    found.evaluations.push(*evaluation);
                }
            }
            Line::Searched(is_searched) => self.is_searched = is_searched,
            Line::Tuning { candidate, tuning } => _ = self.tunings.insert((candidate, tuning.seed), *tuning),
        }
    }

    /// Writes a line, at once so that those of several processes do not mix, and takes what the next process will read: a number
    /// may come back with another last digit.
    fn add(&mut self, line: &Line) -> Result<(), ResultsError> {
        let failed = |source| ResultsError::File { path: self.path.clone(), source };
        let text = serde_json::to_string(line).map_err(|error| failed(error.into()))?;
        self.file.write_all(format!("{text}\n").as_bytes()).and_then(|()| self.file.flush()).map_err(failed)?;
        let line = self.read(0, &text)?;
        self.take(line);
        Ok(())
    }

    pub fn add_candidate(&mut self, candidate: Candidate) -> Result<(), ResultsError> {
        self.add(&Line::Candidate(Box::new(candidate)))
    }

    pub fn add_evaluation(&mut self, candidate: u32, evaluation: Evaluation) -> Result<(), ResultsError> {
        self.add(&Line::Evaluation { candidate, evaluation: Box::new(evaluation) })
    }

    pub fn end_search(&mut self) -> Result<(), ResultsError> {
        self.add(&Line::Searched(true))
    }

    pub fn add_tuning(&mut self, candidate: u32, tuning: Tuning) -> Result<(), ResultsError> {
        self.add(&Line::Tuning { candidate, tuning: Box::new(tuning) })
    }

    pub fn is_tuned(&self, candidate: u32, seed: u64) -> bool {
        self.tunings.contains_key(&(candidate, seed))
    }

    pub fn tunings(&self) -> usize {
        self.tunings.len()
    }

    /// The candidates with their fine-tunings, in the order of the seeds.
    pub fn trained(&self) -> Vec<Trained<'_>> {
        let of = |candidate: &Candidate| {
            let own = self.tunings.range((candidate.index, 0)..=(candidate.index, u64::MAX));
            own.map(|(_, tuning)| tuning.clone()).collect()
        };
        self.candidates.iter().map(|candidate| Trained { candidate, tunings: of(candidate) }).collect()
    }
}

/// A plan as it comes out of a file.
fn as_read(plan: &Plan) -> io::Result<Plan> {
    Ok(serde_json::from_slice(&serde_json::to_vec(plan)?)?)
}

fn agree(path: &Path, found: &Plan, wanted: &Plan) -> Result<(), ResultsError> {
    let differing = [
        (found.source != wanted.source, "the model"),
        (found.data != wanted.data, "a file of images or labels"),
        (found.request != wanted.request, "the search's request"),
        (found.options != wanted.options, "an option of fine-tuning"),
        (found.seeds != wanted.seeds, "`--tune-seeds`"),
        (found.threads != wanted.threads, "the number of threads"),
        (found.device != wanted.device, "`--device`"),
        (found.training_images != wanted.training_images, "the number of training images"),
        (found.test_images != wanted.test_images, "the number of test images"),
    ];
    match differing.into_iter().find(|(differs, _)| *differs) {
        Some((_, field)) => Err(ResultsError::Plan { path: path.to_owned(), field }),
        None => Ok(()),
    }
}
