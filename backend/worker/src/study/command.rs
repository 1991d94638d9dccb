//! Searches without a race, fine-tunes every candidate from every seed, and reports.

use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use eagleeye_engine::{Known, SearchError, TuneImages, adapt_by_fewer, search, tune_candidates};
use eagleeye_spec::{Candidate, SearchRequest, TuneOptions};
use eagleeye_store::{Listing, Located};
use eagleeye_study::{analysed, members};
use rustix::process::{Signal, set_parent_process_death_signal};

use super::arguments::{Share, StudyArgs};
use super::observer::{Recorder, Tunings};
use super::results::{Plan, Results};
use super::written::write;
use crate::failure::Failure;
use crate::provenance::hash_file;
use crate::search::Told;
use crate::tune::{Follower, Inputs, inputs_of_many};

/// The one process that does everything.
const ALONE: Share = Share { number: 0, of: 1 };

pub fn study(args: &StudyArgs) -> Result<(), Failure> {
    args.check()?;
    if args.part.is_some() {
        // Whoever gives the command again must not find the parts of the one before at work.
        set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| Failure::Process(error.into()))?;
    }
    let options = TuneOptions { seed: 0, ..args.tune.options()? };
    args.tune.set_threads();
    let inputs = inputs_of_many(&args.tune)?;
    if inputs.request.limits_latency() || inputs.request.front {
        let says =
            "a study compares candidates of one budget: limit macs, parameters or bytes, and leave `--front` out";
        return Err(Failure::Arguments(says.to_owned()));
    }
    let is_labelled = inputs.images.scoring.labels.is_some();
    let plan = Plan {
        source: inputs.source_hash.clone(),
        data: args.data_files().map(|path| hashed(path)).collect::<Result<_, _>>()?,
        request: args.request(inputs.request.clone()),
        options,
        seeds: args.tune_seeds.clone(),
        threads: eagleeye_engine::device::threads(),
        device: eagleeye_engine::device::name(inputs.network.device()),
        training_images: inputs.train.len() as u64,
        test_images: inputs.images.test.len() as u64,
    };
    let mut results = Results::open(&args.results, &plan, args.part.is_none())?;
    if args.part.is_none() {
        searched(&inputs, &plan.request, &args.fewer(&plan.request), &mut results)?;
    }
    match args.part {
        Some(share) => return tuned(&inputs, &plan, share, &mut results),
        None if args.processes == 1 => tuned(&inputs, &plan, ALONE, &mut results)?,
        None => {
            results.share()?;
            in_parts(args.processes)?;
            drop(results);
            results = Results::open(&args.results, &plan, true)?;
        }
    }
    let report = analysed(&plan.request.budgets(), &results.trained(), is_labelled, plan.request.seed);
    write(args, inputs.network.device(), &plan, &report)
}

/// The hash of a file, or of a folder's listing.
fn hashed(path: &Path) -> Result<String, Failure> {
    let failed = |source| Failure::Input { path: path.to_owned(), source };
    if path.is_dir() {
        let located = Located { location: path.display().to_string(), path: path.to_owned() };
        let listing = Listing::of(&located).map_err(|error| failed(std::io::Error::other(error)))?;
        return Ok(listing.fingerprint().to_string());
    }
    hash_file(path).map_err(failed)
}

/// Evaluates the candidates in every way, but for those that are known.
fn searched(inputs: &Inputs, request: &SearchRequest, fewer: &[u32], results: &mut Results) -> Result<(), Failure> {
    let images = inputs.images.without_test()?;
    if !results.is_searched {
        let known = Known { candidates: results.candidates.clone(), latency: None };
        let found = recorded(results, |recorder| search(&inputs.network, &images, request, known, recorder));
        found?;
        results.end_search()?;
    }
    let candidates = studied(&results.candidates);
    recorded(results, |recorder| adapt_by_fewer(&inputs.network, &images, request, &candidates, fewer, recorder))
}

/// What is found by something that a recorder follows; why it could not be kept comes first.
fn recorded<T>(
    results: &mut Results,
    work: impl FnOnce(&mut Recorder) -> Result<T, SearchError>,
) -> Result<T, Failure> {
    let mut recorder = Recorder { results, told: Told::default(), failed: None };
    let outcome = work(&mut recorder);
    match recorder.failed {
        Some(error) => Err(error.into()),
        None => Ok(outcome?),
    }
}

/// Does the fine-tunings of a share.
fn tuned(inputs: &Inputs, plan: &Plan, share: Share, results: &mut Results) -> Result<(), Failure> {
    let Inputs { network, images, train, .. } = inputs;
    let candidates: Vec<Candidate> = studied(&results.candidates);
    let all = candidates.iter().flat_map(|candidate| plan.seeds.iter().map(|&seed| (candidate.index, seed))).collect();
    let test = Some(&images.test).filter(|test| !test.is_empty());
    let parts = TuneImages { train, validation: &images.scoring, test };
    let mut observer = Tunings {
        images: (images.scoring.len() as u64, images.test.len() as u64),
        results,
        all,
        share,
        follower: Follower::new(None, Duration::MAX),
        failed: None,
    };
    let how = (&plan.options, &plan.seeds[..]);
    let ended = tune_candidates(network, images, parts, &plan.request, &candidates, how, &mut observer);
    match observer.failed {
        Some(error) => Err(error.into()),
        None => Ok(ended?),
    }
}

/// Those that are compared.
fn studied(candidates: &[Candidate]) -> Vec<Candidate> {
    members(candidates, usize::MAX).into_iter().cloned().collect()
}

/// Runs this command once more for each part, side by side. Each appends to the same results.
fn in_parts(of: u32) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(Failure::Process)?;
    let child = |number| {
        let part = format!("{number}/{of}");
        Command::new(&program)
            .args(std::env::args_os().skip(1))
            .args(["--part", &part])
            .spawn()
            .map_err(Failure::Process)
    };
    let mut children: Vec<Child> = (0..of).map(child).collect::<Result<_, _>>()?;
    let ended: Vec<_> = children.iter_mut().map(Child::wait).collect();
    for ended in ended {
        let status = ended.map_err(Failure::Process)?;
        if !status.success() {
            return Err(Failure::Part(status));
        }
    }
    Ok(())
}
