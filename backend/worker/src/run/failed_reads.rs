//! How often in a row a job could not be done because the process that reads its files failed.
//!
//! Such a failure is the machine's and passes, as a rule; but a file that has taken over its process can make it look so for
//! ever.

use std::cell::RefCell;
use std::collections::HashMap;

use eagleeye_store::Uuid;

use crate::run::error::JobError;
use crate::run::reader::ReaderError;

/// A job that has failed so in all of these attempts, one after the other, fails for good. With the queue's pauses between
/// them this takes minutes.
const MOST: u32 = 12;

/// Counts, by job.
#[derive(Debug, Default)]
pub struct FailedReads(RefCell<HashMap<Uuid, u32>>);

impl FailedReads {
    /// The outcome of a job, where a failure that has come too often is one that is not waited out.
    pub fn judge(&self, job: Uuid, outcome: Result<(), JobError>) -> Result<(), JobError> {
        let mut counts = self.0.borrow_mut();
        let has_failed = matches!(
            outcome,
            Err(JobError::ModelReader(ReaderError::Failed(_)) | JobError::DatasetReader(ReaderError::Failed(_)))
        );
        if !has_failed {
            counts.remove(&job);
            return outcome;
        }
        let count = counts.entry(job).or_default();
        *count += 1;
        if *count < MOST {
            return outcome;
        }
        counts.remove(&job);
        outcome.map_err(|error| match error {
            JobError::ModelReader(error) => JobError::ModelReader(error.for_good(MOST)),
            JobError::DatasetReader(error) => JobError::DatasetReader(error.for_good(MOST)),
            error => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Result<(), JobError> {
        Err(JobError::ModelReader(ReaderError::Failed("no sandbox".to_owned())))
    }

    fn waits(outcome: Result<(), JobError>) -> bool {
        outcome.unwrap_err().waits_for().is_some()
    }

    #[test]
    fn a_job_whose_reader_fails_each_time_is_not_waited_out_for_ever() {
        let (reads, job) = (FailedReads::default(), Uuid::now_v7());
        for attempt in 1..MOST {
            assert!(waits(reads.judge(job, failed())), "{attempt}");
        }
        let error = reads.judge(job, failed()).unwrap_err();
        assert_eq!(error.waits_for(), None);
        assert!(error.to_string().contains("12 times in a row") && error.to_string().contains("no sandbox"), "{error}");
        assert!(waits(reads.judge(job, failed())), "who tries again begins anew");
    }

    #[test]
    fn other_failures_and_other_jobs_do_not_count() {
        let (reads, job) = (FailedReads::default(), Uuid::now_v7());
        for _ in 0..3 * MOST {
            assert!(waits(reads.judge(job, failed())));
            assert!(waits(reads.judge(Uuid::now_v7(), failed())));
            let full = ReaderError::DiskFull("no room".to_owned());
            assert!(waits(reads.judge(job, Err(JobError::DatasetReader(full)))));
        }
    }
}
