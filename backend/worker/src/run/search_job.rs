//! The job of a search: evaluate the candidates that are not stored yet.

use std::collections::BTreeMap;

use eagleeye_data::{SplitCounts, split};
use eagleeye_engine::{Images, Source, search};
use eagleeye_spec::Score;
use eagleeye_store::{Lease, SearchRequest, Split, Store, Uuid};

use crate::convert;
use crate::run::Equipment;
use crate::run::engine_thread::{CancelFlag, compute};
use crate::run::error::JobError;
use crate::run::inputs::Inputs;
use crate::run::reporter::Reporter;
use crate::run::retry::retry;
use crate::run::turns::Offers;

/// Does the search, or what is left of it, and ends it. Between candidates it offers turns to exports.
pub async fn perform(
    store: &Store,
    lease: Lease,
    search_id: Uuid,
    equipment: Equipment,
    cancel: CancelFlag,
    offers: Offers,
) -> Result<(), JobError> {
    let give_up = || cancel.is_set();
    let search = retry(give_up, async || store.searches().get(search_id).await).await?;
    let stored_split = retry(give_up, async || store.searches().split(search_id).await).await?;
    let evaluated = retry(give_up, async || store.candidates().evaluated(search_id).await).await?;
    let inputs = Inputs::fetch(store, &search, &cancel).await?;
    let rest = Rest { inputs, split: stored_split, evaluated, equipment };
    let reporter = Reporter::new(store.clone(), lease, cancel.clone(), offers);
    compute(equipment.threads, move || rest.evaluate(reporter)).await?;
    retry(give_up, async || store.queue().finish_search(&lease).await).await?;
    Ok(())
}

/// What of a search is left to do.
struct Rest {
    inputs: Inputs,
    /// Which images serve for what, where an earlier worker stored it.
    split: Option<Split>,
    /// The scores that the candidates which are stored already are ranked by, by index.
    evaluated: BTreeMap<u32, Score>,
    equipment: Equipment,
}

impl Rest {
    fn evaluate(self, mut reporter: Reporter) -> Result<(), JobError> {
        let Self { inputs, split, evaluated, equipment } = self;
        let (network, mut dataset) = (inputs.network(equipment)?, inputs.dataset(equipment)?);
        let split = match split {
            Some(split) => split,
            None => reporter.save_split(&draw_split(dataset.labels(), &inputs.request)?)?,
        };
        let used = convert::used_images(split, &inputs.request);
        let images = Images::decode(&mut dataset, &inputs.preprocess()?, &used, equipment.device, &mut reporter);
        inputs.check_dataset()?;
        let images = match images {
            Ok(images) => images,
            Err(error) => return reporter.outcome(Err(error)),
        };
        drop(dataset);
        let settings = convert::settings(&inputs.request);
        let outcome = search(&network, &images, &settings, &evaluated, &mut reporter);
        reporter.flush();
        reporter.outcome(outcome)
    }
}

fn draw_split(labels: &[usize], request: &SearchRequest) -> Result<Split, JobError> {
    let counts = SplitCounts {
        calibration: request.calibration_images as usize,
        scoring: request.scoring_images as usize,
        test: None,
    };
    Ok(convert::stored_split(&split(labels, &counts, request.seed)?))
}
