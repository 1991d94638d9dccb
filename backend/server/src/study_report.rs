//! The report of a study, from what is stored of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use eagleeye_spec::{Candidate, SearchRequest, StudyRequest, TrainedBy};
use eagleeye_store::studies::{Studied, StudiedTuning};
use eagleeye_store::{Search, Store, Study};
use eagleeye_study::{FigureError, StudyReport, Trained, Tuning, analysed, figure, markdown};
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::problem::Problem;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Lets one study be analysed at a time: thousands of resamples keep a processor busy, and an analysis that nobody waits for any more
/// goes on to its end.
#[derive(Debug, Clone)]
pub struct Analyses(Arc<Semaphore>);

impl Default for Analyses {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// A study with what it says so far.
pub struct StudyDocument {
    study: Study,
    search: Search,
    report: StudyReport,
    trained_by: BTreeSet<TrainedBy>,
}

/// A study's report with all that is needed to make it again.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportedStudy {
    #[serde(flatten)]
    report: StudyReport,
    /// Of EagleEye, which has computed the report.
    version: &'static str,
    /// The programs and devices that the fine-tunings were done by. None for those of an older version.
    trained_by: BTreeSet<TrainedBy>,
    /// The request for the search, as `POST /searches` takes it.
    search_request: SearchRequest,
    /// The request for the study, as `POST /searches/{id}/studies` takes it.
    study_request: StudyRequest,
}

impl StudyDocument {
    /// Candidates whose fine-tunings have not all succeeded are left out.
    pub async fn of(store: &Store, analyses: &Analyses, id: Uuid) -> Result<Self, Problem> {
        let turn = analyses.0.clone().acquire_owned().await.map_err(Problem::internal)?;
        let study = store.studies().get(id).await?;
        let search = store.searches().get(study.search_id).await?;
        let dataset = store.datasets().get(search.dataset_id).await?;
        let (budgets, seed) = (search.request.budgets(), search.request.seed);
        let (studied, is_labelled) = (store.studies().studied(id).await?, dataset.content.labelled);
        let whole = study.request.seeds.len();
        let all = studied.iter().flat_map(|studied| &studied.tunings);
        let trained_by = all.filter_map(|tuning| tuning.result.trained_by.clone()).collect();
        let report = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let (candidates, tunings): (Vec<Candidate>, Vec<Vec<Tuning>>) =
                studied.into_iter().filter(|studied| studied.tunings.len() == whole).map(parts).unzip();
            let trained = candidates.iter().zip(tunings).map(|(candidate, tunings)| Trained { candidate, tunings });
            analysed(&budgets, &trained.collect::<Vec<_>>(), is_labelled, seed)
        });
        let report = report.await.map_err(|error| Problem::internal(format!("a study's analysis ended: {error}")))?;
        Ok(Self { study, search, report, trained_by })
    }

    pub fn report(self) -> ReportedStudy {
        let Self { study, search, report, trained_by } = self;
        let (search_request, study_request) = (search.request, study.request);
        ReportedStudy { report, version: VERSION, trained_by, search_request, study_request }
    }

    /// With what was asked for, so that the same can be asked for again.
    pub fn markdown(&self) -> String {
        let Study { id, search_id, request, .. } = &self.study;
        let name = self.search.name.as_deref().map_or(String::new(), |name| format!(" `{name}`"));
        let trained_by: Vec<String> = self.trained_by.iter().map(by).collect();
        let published =
            self.search.request.template().map_or(String::new(), |one| format!("\n{}\n", one.published_text()));
        let trained_by = match trained_by.is_empty() {
            true => String::new(),
            false => format!(" Fine-tuned by {}.", trained_by.join(", ")),
        };
        format!(
            "# Which evaluation predicts the accuracy after fine-tuning\n\n{}{published}\n## How it was made\nEagleEye {VERSION}, study {id} of search{name} \
             {search_id}.{trained_by} The search was this `POST /api/v1/searches`:\n\n```json\n{}\n```\n\nand the study this \
             `POST /api/v1/searches/{search_id}/studies`:\n\n```json\n{}\n```\n\nThe figure and all numbers as JSON are at \
             `/api/v1/studies/{id}/figure.svg` and `/api/v1/studies/{id}/report`.\n",
            markdown(&self.report),
            pretty(&self.search.request),
            pretty(request),
        )
    }

    pub fn figure(&self) -> Result<String, FigureError> {
        figure(&self.report)
    }
}

fn by(TrainedBy { version, device, hardware, libtorch }: &TrainedBy) -> String {
    let hardware = hardware.as_ref().map_or(String::new(), |name| format!(", {name}"));
    let libtorch = libtorch.as_ref().map_or(String::new(), |version| format!(" with libtorch {version}"));
    format!("EagleEye {version}{libtorch} on {device}{hardware}")
}

fn pretty(request: &impl Serialize) -> String {
    serde_json::to_string_pretty(request).unwrap_or_default()
}

/// A candidate and its fine-tunings, as the analysis takes them.
fn parts(studied: Studied) -> (Candidate, Vec<Tuning>) {
    (studied.candidate.into(), studied.tunings.into_iter().map(tuning).collect())
}

fn tuning(StudiedTuning { seed, result }: StudiedTuning) -> Tuning {
    Tuning {
        seed,
        validation: result.validation,
        validation_images: result.validation_images,
        test: result.test,
        test_images: result.test_images,
        by_epoch: result.by_epoch,
        seconds: result.seconds.unwrap_or_default(),
    }
}
