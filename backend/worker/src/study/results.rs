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
    #[error("`--results {}` does not begin with what was studied; it is no file of a study", path.display())]
    NoPlan { path: PathBuf },
}

/// What is studied. Results of another plan are not gone on from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Hash of the model's file.
    pub source: String,
    pub request: SearchRequest,
    /// Of each fine-tuning, but for its seed.
    pub options: TuneOptions,
    pub seeds: Vec<u64>,
    pub training_images: u64,
    pub test_images: u64,
}

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
    /// Those of a file, which is made where there is none. `cut` is for the one process that may remove a line that was not
    /// finished; the others leave it out.
    ///
    /// # Errors
    /// Where the file is of another plan, or cannot be read or written.
    pub fn open(path: &Path, plan: &Plan, cut: bool) -> Result<Self, ResultsError> {
        let failed = |source| ResultsError::File { path: path.to_owned(), source };
        let file = OpenOptions::new().create(true).append(true).read(true).open(path).map_err(failed)?;
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if cut && whole < text.len() {
            file.set_len(whole as u64).map_err(failed)?;
        }
        let mut results =
            Self { path: path.to_owned(), file, candidates: Vec::new(), is_searched: false, tunings: BTreeMap::new() };
        let mut lines = text[..whole].lines().enumerate();
        match lines.next() {
            None => results.append(&Line::Plan(Box::new(plan.clone())))?,
            Some((number, line)) => match results.read(number, line)? {
                Line::Plan(found) => agree(path, &found, plan)?,
                _ => return Err(ResultsError::NoPlan { path: path.to_owned() }),
            },
        }
        for (number, line) in lines {
            let line = results.read(number, line)?;
            results.take(line);
        }
        Ok(results)
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

    /// In one write, so that lines of several processes do not mix.
    fn append(&mut self, line: &Line) -> Result<(), ResultsError> {
        let failed = |source| ResultsError::File { path: self.path.clone(), source };
        let mut text = serde_json::to_vec(line).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        self.file.write_all(&text).and_then(|()| self.file.flush()).map_err(failed)
    }

    fn add(&mut self, line: Line) -> Result<(), ResultsError> {
        self.append(&line)?;
        self.take(line);
        Ok(())
    }

    pub fn add_candidate(&mut self, candidate: Candidate) -> Result<(), ResultsError> {
        self.add(Line::Candidate(Box::new(candidate)))
    }

    pub fn add_evaluation(&mut self, candidate: u32, evaluation: Evaluation) -> Result<(), ResultsError> {
        self.add(Line::Evaluation { candidate, evaluation: Box::new(evaluation) })
    }

    pub fn end_search(&mut self) -> Result<(), ResultsError> {
        self.add(Line::Searched(true))
    }

    pub fn add_tuning(&mut self, candidate: u32, tuning: Tuning) -> Result<(), ResultsError> {
        self.add(Line::Tuning { candidate, tuning: Box::new(tuning) })
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

fn agree(path: &Path, found: &Plan, wanted: &Plan) -> Result<(), ResultsError> {
    let differing = [
        (found.source != wanted.source, "the model"),
        (found.request != wanted.request, "the search's request"),
        (found.options != wanted.options, "an option of fine-tuning"),
        (found.seeds != wanted.seeds, "`--tune-seeds`"),
        (found.training_images != wanted.training_images, "the number of training images"),
        (found.test_images != wanted.test_images, "the number of test images"),
    ];
    match differing.into_iter().find(|(differs, _)| *differs) {
        Some((_, field)) => Err(ResultsError::Plan { path: path.to_owned(), field }),
        None => Ok(()),
    }
}
