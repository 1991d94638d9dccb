//! Writes a search's results into the store as the engine finds them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use eagleeye_engine::{Flow, Network, Observer, Outcome, Phase, SearchError};
use eagleeye_spec::{Baseline, Candidate, Evaluation, Latency, LatencyModel, SearchRequest, Warning};
use eagleeye_store::{Lease, Progress, Split, Store, StoreError};
use tokio::runtime::Handle;

use crate::latency::{LeadersError, MeasureError, measure_leaders, measure_model};
use crate::run::engine_thread::CancelFlag;
use crate::run::error::JobError;
use crate::run::retry::{once, retry};
use crate::run::turns::Offers;

/// Shortest time between two reports of progress within a phase.
const PROGRESS_PERIOD: Duration = Duration::from_millis(250);

/// For how long no write is tried after one that the database did not take: trying takes seconds in which nothing is
/// computed.
const PAUSE: Duration = Duration::from_secs(5);

/// Results that are kept here while the database is away; with the next one the search waits.
const MOST_UNWRITTEN: usize = 256;

/// Lives on the engine's thread, which waits for each write: results are in the store before the next is computed.
/// While the database is away the search goes on, and what it finds is written when the database is back.
#[derive(Debug)]
pub struct Reporter {
    store: Store,
    lease: Lease,
    runtime: Handle,
    cancel: CancelFlag,
    offers: Offers,
    reported: Option<(Phase, Instant)>,
    /// What went wrong with a write; the search stops for it.
    failure: Option<StoreError>,
    /// Results that are not in the store yet, in order.
    unwritten: VecDeque<Finding>,
    /// When a write is tried again, where the database did not take the last one.
    next_try: Option<Instant>,
}

impl Reporter {
    /// To be called inside the runtime that drives the store.
    pub fn new(store: Store, lease: Lease, cancel: CancelFlag, offers: Offers) -> Self {
        let runtime = Handle::current();
        Self {
            store,
            lease,
            runtime,
            cancel,
            offers,
            reported: None,
            failure: None,
            unwritten: VecDeque::new(),
            next_try: None,
        }
    }

    /// Stores the split, unless there is one; the stored one is returned.
    pub fn save_split(&self, split: &Split) -> Result<Split, StoreError> {
        let (store, lease) = (&self.store, &self.lease);
        let give_up = || self.cancel.is_set();
        self.runtime.block_on(retry(give_up, async || store.searches().save_split(lease, split).await))
    }

    /// What tells the latency of strategies, where the request has a budget of latency: measured now, and stored.
    pub fn latency_model(
        &mut self,
        network: &Network,
        request: &SearchRequest,
    ) -> Result<Option<LatencyModel>, JobError> {
        if !request.limits_latency() {
            return Ok(None);
        }
        self.phase(Phase::Latency, 0, 1);
        let measured = measure_model(network, request, &|| self.cancelled());
        let measured = self.outcome(measured)?;
        let (store, lease) = (&self.store, &self.lease);
        let give_up = || self.cancel.is_set();
        let save = async || store.searches().save_latency_model(lease, &measured).await;
        Ok(Some(self.runtime.block_on(retry(give_up, save))?))
    }

    /// The outcome of what was observed; a search that was stopped because a write failed has failed for that.
    pub fn outcome<T>(&mut self, outcome: Result<T, impl Into<JobError>>) -> Result<T, JobError> {
        match self.failure.take() {
            Some(failure) => Err(failure.into()),
            None => outcome.map_err(Into::into),
        }
    }

    /// Measures how long the leading candidates take, and says so where a winner is slower than the full network. That they
    /// cannot be measured does not spoil the search.
    pub fn measure(mut self, network: &Network, request: &SearchRequest, outcome: &Outcome) -> Result<(), JobError> {
        self.phase(Phase::Latency, 0, 1);
        let leaders = outcome.candidates.iter().filter(|candidate| outcome.leaders.contains(&candidate.index));
        let measured = match measure_leaders(network, leaders, &|| self.cancelled()) {
            Ok(measured) => measured,
            // Where a write has failed, it was that which cancelled.
            Err(LeadersError::Measure(MeasureError::Cancelled)) => return self.outcome(Err(SearchError::Cancelled)),
            Err(error) => {
                tracing::warn!(%error, "latencies cannot be measured");
                return Ok(());
            }
        };
        for (index, latencies) in &measured.by_index {
            self.unwritten.push_back(Finding::Latencies(*index, latencies.clone()));
        }
        for warning in measured.warnings(request, outcome.winners()) {
            self.unwritten.push_back(Finding::Warning(warning));
        }
        self.flush();
        self.outcome(Ok::<_, JobError>(()))
    }

    /// Writes what is not in the store yet, and waits until it is.
    pub fn flush(&mut self) {
        while self.failure.is_none()
            && let Some(next) = self.unwritten.front()
        {
            let (store, lease) = (&self.store, &self.lease);
            let give_up = || self.cancel.is_set();
            let written = self.runtime.block_on(retry(give_up, async || next.write(store, lease).await));
            self.unwritten.pop_front();
            self.note(written);
        }
    }

    /// Writes what can be written now.
    fn write(&mut self) -> Flow {
        while !self.pauses()
            && let Some(next) = self.unwritten.front()
        {
            let (store, lease) = (&self.store, &self.lease);
            match self.runtime.block_on(once(async || next.write(store, lease).await)) {
                Ok(_) => _ = self.unwritten.pop_front(),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, unwritten = self.unwritten.len(), "the search continues without the \
                        database");
                    self.pause();
                }
                Err(error) => return self.note::<()>(Err(error)),
            }
        }
        if self.unwritten.len() > MOST_UNWRITTEN {
            self.flush();
        }
        if self.failure.is_some() { Flow::Stop } else { Flow::Go }
    }

    fn report(&mut self, finding: Finding) -> Flow {
        self.unwritten.push_back(finding);
        self.write()
    }

    fn pause(&mut self) {
        self.next_try = Some(Instant::now() + PAUSE);
    }

    fn pauses(&self) -> bool {
        self.next_try.is_some_and(|next| Instant::now() < next)
    }

    /// Lets exports go first, which are found in the database: not while that is away.
    fn offer_turn(&self) {
        if self.unwritten.is_empty() && !self.pauses() {
            self.offers.offer(&self.runtime, &self.cancel);
        }
    }

    fn note<T>(&mut self, written: Result<T, StoreError>) -> Flow {
        match written {
            Ok(_) => Flow::Go,
            Err(error) => {
                self.failure = Some(error);
                Flow::Stop
            }
        }
    }

    /// Whether a step is worth a write. That of a candidate is written together with the candidate.
    fn is_due(&self, phase: Phase, done: u64, total: u64) -> bool {
        match self.reported {
            Some((last, at)) if last == phase => {
                phase != Phase::Candidates && (done == total || at.elapsed() >= PROGRESS_PERIOD)
            }
            _ => true,
        }
    }
}

impl Observer for Reporter {
    fn cancelled(&self) -> bool {
        self.cancel.is_set() || self.failure.is_some()
    }

    fn phase(&mut self, phase: Phase, done: u64, total: u64) {
        if !self.is_due(phase, done, total) || self.pauses() {
            return;
        }
        let progress = Progress { phase: phase.name().to_owned(), done, total };
        let (store, lease) = (&self.store, &self.lease);
        match self.runtime.block_on(once(async || store.queue().progress(lease, &progress).await)) {
            // The next report says it as well.
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "cannot report progress");
                self.pause();
            }
            written => _ = self.note(written),
        }
        self.reported = Some((phase, Instant::now()));
    }

    fn baseline(&mut self, baseline: Baseline) -> Flow {
        let (store, lease) = (&self.store, &self.lease);
        let give_up = || self.cancel.is_set();
        let save = async || store.searches().save_baseline(lease, &baseline).await;
        let written = self.runtime.block_on(retry(give_up, save));
        let flow = self.note(written);
        self.offer_turn();
        flow
    }

    fn candidate(&mut self, candidate: Candidate) -> Flow {
        let (index, seconds) = (candidate.index, candidate.seconds);
        let top1 = candidate.ranked().map(|ranked| ranked.score.top1);
        tracing::info!(index, top1, seconds, "candidate evaluated");
        let flow = self.report(Finding::Candidate(Box::new(candidate)));
        self.offer_turn();
        flow
    }

    fn evaluation(&mut self, index: u32, evaluation: Evaluation) -> Flow {
        let (images, top1) = (evaluation.images, evaluation.score.top1);
        tracing::info!(index, images, top1, seconds = evaluation.seconds, "candidate evaluated again");
        let flow = self.report(Finding::Evaluation(index, Box::new(evaluation)));
        self.offer_turn();
        flow
    }

    fn recipe(&mut self, index: u32, recipe: Vec<u8>) -> Flow {
        self.report(Finding::Recipe(index, recipe))
    }

    fn warning(&mut self, warning: Warning) -> Flow {
        tracing::warn!(code = warning.code.name(), "{}", warning.message);
        self.report(Finding::Warning(warning))
    }
}

/// A result of a search, to be written.
#[derive(Debug)]
enum Finding {
    Candidate(Box<Candidate>),
    /// Of the candidate with this index.
    Evaluation(u32, Box<Evaluation>),
    /// Of the candidate with this index.
    Recipe(u32, Vec<u8>),
    Warning(Warning),
    /// Of the candidate with this index.
    Latencies(u32, Vec<Latency>),
}

impl Finding {
    async fn write(&self, store: &Store, lease: &Lease) -> Result<(), StoreError> {
        let searches = store.searches();
        match self {
            Self::Candidate(candidate) => searches.record_candidate(lease, (**candidate).clone()).await.map(drop),
            Self::Evaluation(index, evaluation) => searches.record_evaluation(lease, *index, evaluation).await,
            Self::Recipe(index, recipe) => searches.save_recipe(lease, *index, recipe).await,
            Self::Warning(warning) => searches.save_warning(lease, warning).await,
            Self::Latencies(index, latencies) => searches.save_latencies(lease, *index, latencies).await,
        }
    }
}

/// For an export, whose progress nobody watches.
#[derive(Debug)]
pub struct Unwatched(pub CancelFlag);

impl Observer for Unwatched {
    fn cancelled(&self) -> bool {
        self.0.is_set()
    }

    fn phase(&mut self, _phase: Phase, _done: u64, _total: u64) {}

    fn baseline(&mut self, _baseline: Baseline) -> Flow {
        Flow::Go
    }

    fn candidate(&mut self, _candidate: Candidate) -> Flow {
        Flow::Go
    }

    fn evaluation(&mut self, _index: u32, _evaluation: Evaluation) -> Flow {
        Flow::Go
    }

    fn warning(&mut self, _warning: Warning) -> Flow {
        Flow::Go
    }
}

#[cfg(test)]
mod tests {
    use eagleeye_spec::{Origin, RANKED_IMAGES, RANKED_KIND, Score, StrategyName};

    use super::*;
    use crate::run::turns::turns;
    use crate::testing::ClaimedSearch;

    fn evaluated(index: u32) -> Candidate {
        let score = Score::new(0.5, 0.9, 1.0);
        Candidate {
            index,
            origin: Origin { strategy: StrategyName::default(), budget: Some(0), number: index, is_probe: false },
            strategy: vec![1],
            groups: Vec::new(),
            macs: 1,
            parameters: 1,
            bytes: Some(4),
            evaluations: vec![Evaluation::new(RANKED_KIND, RANKED_IMAGES, 10, score)],
            seconds: 0.1,
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn while_the_database_is_away_candidates_cost_no_attempts_and_offer_no_turns() {
        let search = ClaimedSearch::new().await;
        // Nobody takes a turn: one that was offered would never be over.
        let (offers, turns) = turns();
        let mut reporter = Reporter::new(search.store.clone(), search.lease, CancelFlag::default(), offers);
        reporter.pause();
        let reporter = tokio::task::spawn_blocking(move || {
            for index in 0..3 {
                assert_eq!(reporter.candidate(evaluated(index)), Flow::Go);
            }
            reporter.phase(Phase::Images, 1, 2);
            assert_eq!((reporter.unwritten.len(), reporter.reported), (3, None));
            reporter
        });
        let mut reporter = reporter.await.unwrap();
        drop(turns);
        reporter.next_try = Some(Instant::now());
        let unwritten = tokio::task::spawn_blocking(move || {
            assert_eq!(reporter.candidate(evaluated(3)), Flow::Go);
            reporter.unwritten.len()
        });
        assert_eq!(unwritten.await.unwrap(), 0);
        let stored = search.store.candidates().evaluated(search.id).await.unwrap();
        assert_eq!(
            stored.iter().map(|stored| stored.index).collect::<Vec<_>>(),
            [0, 1, 2, 3],
            "all are written when it is back"
        );
    }
}
