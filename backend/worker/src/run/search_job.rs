//! The job of a search: evaluate the candidates that are not stored yet.

use async_trait::async_trait;
use eagleeye_engine::{Known, Source, search};
use eagleeye_spec::{Candidate, LatencyModel};
use eagleeye_store::{SEARCH_JOB, Split};

use crate::convert;
use crate::run::engine_thread::compute;
use crate::run::error::JobError;
use crate::run::handler::{Handler, Task};
use crate::run::inputs::{DatasetInputs, ModelInputs};
use crate::run::reporter::Reporter;
use crate::run::resources::Resources;
use crate::run::retry::retry;

/// Does a search, or what is left of it, and ends it. Between candidates it offers turns to shorter jobs.
#[derive(Debug)]
pub struct SearchJob;

#[async_trait(?Send)]
impl Handler for SearchJob {
    fn kind(&self) -> &'static str {
        SEARCH_JOB
    }

    fn priority(&self) -> i32 {
        1
    }

    async fn perform(&self, task: Task) -> Result<(), JobError> {
        search_strategies(task).await
    }
}

async fn search_strategies(task: Task) -> Result<(), JobError> {
    let Task { store, lease, subject: search_id, resources, image_cache, cancel, offers, .. } = task;
    let give_up = || cancel.is_set();
    let search = retry(give_up, async || store.searches().get(search_id).await).await?;
    let stored_split = retry(give_up, async || store.searches().split(search_id).await).await?;
    let evaluated = retry(give_up, async || store.candidates().evaluated(search_id).await).await?;
    let model = ModelInputs::fetch(&store, &search, &cancel).await?;
    let dataset = DatasetInputs::fetch(&store, &search, image_cache, &cancel).await?;
    let latency = search.latency_model.clone();
    let remaining = RemainingSearch { model, dataset, split: stored_split, latency, evaluated, resources };
    let reporter = Reporter::new(store.clone(), lease, cancel.clone(), offers);
    compute(resources.threads, move || remaining.evaluate(reporter)).await?;
    retry(give_up, async || store.searches().finish(&lease).await).await?;
    Ok(())
}

/// What of a search is left to do.
struct RemainingSearch {
    model: ModelInputs,
    dataset: DatasetInputs,
    /// Which images serve for what, where an earlier worker stored it.
    split: Option<Split>,
    /// What tells the latency of strategies, where an earlier worker measured and stored it.
    latency: Option<LatencyModel>,
    /// The candidates that are stored already, in order of index.
    evaluated: Vec<Candidate>,
    resources: Resources,
}

impl RemainingSearch {
    fn evaluate(self, mut reporter: Reporter) -> Result<(), JobError> {
        let Self { model, dataset: inputs, split, latency, evaluated, resources } = self;
        let (network, mut dataset, request) = (model.network(resources)?, inputs.open(resources)?, &model.request);
        let split = match split {
            Some(split) => split,
            None => {
                let drawn = convert::draw_split(dataset.labels(), inputs.images, request)?;
                reporter.save_split(&convert::stored_split(&drawn))?
            }
        };
        let used = convert::used_images(split, request);
        let latency = match latency {
            Some(known) => Some(known),
            None => reporter.latency_model(&network, request)?,
        };
        let known = Known { candidates: evaluated, latency };
        let outcome = inputs.while_decoding(&model, &mut dataset, &used, resources.device, |images| {
            search(&network, &images, request, known, &mut reporter)
        });
        drop(dataset);
        reporter.flush();
        let outcome = reporter.outcome(outcome.and_then(|outcome| Ok(outcome?)))?;
        reporter.measure(&network, request, &outcome)
    }
}
