//! The job of a search: evaluate the candidates that are not stored yet.

use async_trait::async_trait;
use eagleeye_engine::{Known, Source, search};
use eagleeye_spec::{Candidate, LatencyModel};
use eagleeye_store::{SEARCH_JOB, Split};

use crate::convert;
use crate::run::engine_thread::compute;
use crate::run::error::JobError;
use crate::run::handler::{Handler, Task};
use crate::run::inputs::Inputs;
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
    let Task { store, lease, subject: search_id, resources, cancel, offers, .. } = task;
    let give_up = || cancel.is_set();
    let search = retry(give_up, async || store.searches().get(search_id).await).await?;
    let stored_split = retry(give_up, async || store.searches().split(search_id).await).await?;
    let evaluated = retry(give_up, async || store.candidates().evaluated(search_id).await).await?;
    let inputs = Inputs::fetch(&store, &search, &cancel).await?;
    let remaining =
        RemainingSearch { inputs, split: stored_split, latency: search.latency_model.clone(), evaluated, resources };
    let reporter = Reporter::new(store.clone(), lease, cancel.clone(), offers);
    compute(resources.threads, move || remaining.evaluate(reporter)).await?;
    retry(give_up, async || store.searches().finish(&lease).await).await?;
    Ok(())
}

/// What of a search is left to do.
struct RemainingSearch {
    inputs: Inputs,
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
        let Self { inputs, split, latency, evaluated, resources } = self;
        let (network, mut dataset) = (inputs.network(resources)?, inputs.dataset(resources)?);
        let split = match split {
            Some(split) => split,
            None => {
                let drawn = convert::draw_split(dataset.labels(), inputs.images, &inputs.request)?;
                reporter.save_split(&convert::stored_split(&drawn))?
            }
        };
        let used = convert::used_images(split, &inputs.request);
        let images = inputs.images_of(&mut dataset, &used, resources.device, &mut reporter);
        inputs.check_dataset()?;
        let images = match images {
            Ok(images) => images,
            Err(error) => return reporter.outcome(Err(error)),
        };
        drop(dataset);
        let latency = match latency {
            Some(known) => Some(known),
            None => reporter.latency_model(&network, &inputs.request)?,
        };
        let known = Known { candidates: evaluated, latency };
        let outcome = search(&network, &images, &inputs.request, known, &mut reporter);
        reporter.flush();
        let outcome = reporter.outcome(outcome)?;
        reporter.measure(&network, &inputs.request, &outcome)
    }
}
