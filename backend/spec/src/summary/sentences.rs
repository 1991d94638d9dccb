//! What was found, in sentences.

use super::types::{
    Comparison, Report, ReportSection, ReportedCandidate, ReportedCosts, ReportedEnd, ScoredOn, Standing,
};
use super::words::{
    conditions, counted, duration, from_to, listed, milliseconds, percent, points, signed, signed_from_to,
};

/// Latencies that differ by less than this are as good as the same.
const SAME_SPEED: f64 = 0.02;

/// The search in a few sentences.
pub(super) fn of_search(report: &Report) -> Vec<String> {
    let mut sentences = Vec::from_iter(unless_succeeded(report));
    if !report.labelled {
        sentences.push(
            "The images have no labels, so every score is the agreement with the full network: none of them says whether the \
             networks are right."
                .to_owned(),
        );
    }
    if report.sections.iter().all(|section| section.winner.is_none()) {
        sentences.push("The search has no candidates.".to_owned());
        return sentences;
    }
    sentences.extend(report.sections.iter().map(|section| outcome(report, section)));
    if let Some(ratio) = report.passes.ratio.filter(|ratio| *ratio < 0.999) {
        sentences.push(format!(
            "The candidates took {} of the image passes that all of them on all images would have taken.",
            percent(ratio)
        ));
    }
    sentences.extend(report.seconds.map(|seconds| format!("The search took {}.", duration(seconds))));
    sentences.extend(report.request.template().map(|template| template.published_text()));
    sentences
}

/// What to know before anything else of a search that has not succeeded.
fn unless_succeeded(report: &Report) -> Option<String> {
    match (report.ended, &report.error) {
        (ReportedEnd::Succeeded, _) => None,
        (ReportedEnd::NotYet, _) => {
            Some("The search has not ended: this is what it has found so far, and it may change.".to_owned())
        }
        (ReportedEnd::Cancelled, _) => {
            Some("The search was cancelled: this is what it had found until then.".to_owned())
        }
        (ReportedEnd::Failed, Some(error)) => Some(format!(
            "The search failed, so what it has found is not to be used as it is: {}.",
            error.trim_end_matches('.')
        )),
        (ReportedEnd::Failed, None) => {
            Some("The search failed, so what it has found is not to be used as it is.".to_owned())
        }
    }
}

/// Who won under a budget, and what it is worth.
fn outcome(report: &Report, section: &ReportSection) -> String {
    let preposition = if section.budget.is_some() { "At" } else { "For" };
    let title = format!("{preposition} {}", section.title);
    let Some(winner) = &section.winner else { return format!("{title}, no candidate was evaluated.") };
    let score = percent(winner.scoring.score.top1);
    let does = if report.labelled {
        format!("classifies {score} of the scoring images correctly")
    } else {
        format!("agrees with the full network on {score} of the scoring images")
    };
    let against = match winner.against_uniform {
        None => String::new(),
        Some(Comparison { standing: Standing::Same, .. }) => ", and is the uniform strategy itself".to_owned(),
        Some(Comparison { standing: Standing::Tied, .. }) => {
            ", and cannot be told apart from the uniform strategy".to_owned()
        }
        Some(Comparison { standing: Standing::Better, difference, .. }) => {
            format!(", {} more than the uniform strategy", points(difference))
        }
        Some(Comparison { standing: Standing::Below, difference, .. }) => {
            format!(", {} less than the uniform strategy", points(difference))
        }
    };
    format!("{title}, candidate {} ({}) {does}{against}.", winner.index, winner.strategy)
}

/// What was found under a budget.
pub(super) fn of_section(report: &Report, section: &ReportSection) -> Vec<String> {
    let Some(winner) = &section.winner else { return vec!["No candidate was evaluated.".to_owned()] };
    let mut sentences = vec![won(report, section, winner)];
    sentences.extend(winner.against_uniform.as_ref().map(|compared| against_uniform(winner, compared)));
    if winner.against_uniform.is_none() && section.budget.is_some() {
        sentences.push("There is no uniform candidate to judge it against.".to_owned());
    }
    sentences.extend(other_strategies(section));
    sentences.extend(against_full(report, winner));
    sentences.push(ties(section));
    sentences.extend(on_test_images(report, section, winner));
    sentences.extend(repaired(report, winner));
    sentences.extend(short_tuned(report, winner));
    sentences.extend(latencies(winner));
    sentences.extend(latency_budget(report, section, winner));
    sentences
}

fn won(report: &Report, section: &ReportSection, winner: &ReportedCandidate) -> String {
    let who = format!("Candidate {} ({})", winner.index, winner.strategy);
    let score = scored(report, &winner.scoring, "scoring");
    let costs = costs(&winner.costs);
    match section.evaluated {
        1 => format!("{who} is the only one that was evaluated. With {costs}, it {score}."),
        evaluated => {
            format!("{who} won against {}. With {costs}, it {score}.", counted(u64::from(evaluated - 1), "other"))
        }
    }
}

fn costs(costs: &ReportedCosts) -> String {
    let fractions = [
        (Some(costs.macs_fraction), "MACs"),
        (Some(costs.parameters_fraction), "parameters"),
        (costs.bytes_fraction, "bytes"),
    ];
    let parts: Vec<String> = fractions
        .into_iter()
        .filter_map(|(fraction, noun)| Some(format!("{} of the {noun}", percent(fraction?))))
        .collect();
    listed(&parts)
}

/// What a network does on images, as a predicate.
fn scored(report: &Report, on: &ScoredOn, set: &str) -> String {
    let (share, interval) = (percent(on.score.top1), from_to(on.intervals.top1));
    let images = counted(on.images, &format!("{set} image"));
    if report.labelled {
        format!("classifies {share} of {images} correctly (95% interval {interval})")
    } else {
        format!("agrees with the full network on {share} of {images} (95% interval {interval})")
    }
}

fn against_uniform(winner: &ReportedCandidate, compared: &Comparison) -> String {
    let uniform = compared.with.map(|index| format!(" (candidate {index})")).unwrap_or_default();
    let (by, interval) = (points(compared.difference), signed_from_to(compared.interval));
    let images = counted(compared.images, "image");
    match compared.standing {
        Standing::Same if compared.with == Some(winner.index) => {
            "It is the uniform strategy, with one keep ratio for all channel groups: no other strategy did better."
                .to_owned()
        }
        Standing::Same => {
            format!("It keeps the same channels as the uniform strategy{uniform}: no other one did better.")
        }
        Standing::Better => format!(
            "It is better than the uniform strategy{uniform} by {by} on the same {images} (95% interval of the difference \
             {interval})."
        ),
        Standing::Below => format!(
            "The uniform strategy{uniform} is better than it by {by} on the same {images} (95% interval of the difference \
             {interval})."
        ),
        Standing::Tied => format!(
            "It cannot be told apart from the uniform strategy{uniform}: they differ by {} points on the same {images} (95% \
             interval {interval}).",
            signed(compared.difference),
        ),
    }
}

/// How the best candidates of the other strategies do against the uniform one.
fn other_strategies(section: &ReportSection) -> Option<String> {
    let others = section.strategies.iter().skip(1).filter_map(|strategy| {
        let said = match strategy.best.against_uniform?.standing {
            Standing::Better => "is better than uniform",
            Standing::Tied => "is tied with uniform",
            Standing::Below => "is below uniform",
            Standing::Same if strategy.best.against_uniform?.with == Some(strategy.best.index) => return None,
            Standing::Same => "keeps the same channels as uniform",
        };
        Some(format!("{} {said}", strategy.strategy))
    });
    let others: Vec<String> = others.collect();
    (!others.is_empty()).then(|| format!("Of the other strategies at their best, {}.", listed(&others)))
}

fn against_full(report: &Report, winner: &ReportedCandidate) -> Option<String> {
    if !report.labelled {
        return None;
    }
    let full = format!("The full network {}", scored(report, &report.full.scoring, "scoring"));
    let Some(compared) = &winner.against_full else { return Some(format!("{full}.")) };
    let (by, interval) = (points(compared.difference), signed_from_to(compared.interval));
    Some(match compared.standing {
        Standing::Below => {
            format!("{full}; the winner is below it by {by} (95% interval of the difference {interval}).")
        }
        Standing::Better => format!(
            "{full}; the winner is above it by {by} (95% interval of the difference {interval}), which is more than pruning \
             explains."
        ),
        Standing::Tied | Standing::Same => format!(
            "{full}; the winner cannot be told apart from it: they differ by {} points (95% interval {interval}).",
            signed(compared.difference)
        ),
    })
}

fn ties(section: &ReportSection) -> String {
    let ties = &section.ties;
    if ties.count == 0 {
        return "No other candidate is tied with it.".to_owned();
    }
    let indices: Vec<String> = ties.indices.iter().map(u32::to_string).collect();
    let more = if (ties.indices.len() as u32) < ties.count { ", and more" } else { "" };
    let fewer = match ties.on_fewer_images {
        0 => String::new(),
        fewer if fewer == ties.count => ", on the fewer images that these were scored on".to_owned(),
        fewer => format!(", {fewer} of them on the fewer images that these were scored on"),
    };
    let verb = if ties.count == 1 { "is" } else { "are" };
    let others = counted(u64::from(ties.count), "other candidate");
    format!("{others} {verb} tied with it{fewer} ({}{more}).", indices.join(", "))
}

fn on_test_images(report: &Report, section: &ReportSection, winner: &ReportedCandidate) -> Vec<String> {
    let Some(test) = &winner.test else {
        let why = if report.split.test == 0 { "There are no test images" } else { "It was not scored on test images" };
        return vec![if section.evaluated > 1 {
            format!(
                "{why}. A candidate that was chosen for its score looks better on the images of the choice than it is, so expect \
                 less on others."
            )
        } else {
            format!("{why}.")
        }];
    };
    let mut sentence = format!("On images that no candidate was chosen by, it {}", scored(report, test, "test"));
    if report.labelled
        && let Some(full) = &report.full.test
    {
        sentence.push_str(&format!("; the full network classifies {}", percent(full.score.top1)));
    }
    sentence.push('.');
    let mut sentences = vec![sentence];
    sentences.extend(winner.against_uniform_on_test.as_ref().and_then(|compared| {
        let (by, interval) = (points(compared.difference), signed_from_to(compared.interval));
        match compared.standing {
            Standing::Same => None,
            Standing::Better => {
                Some(format!("There it is better than the uniform strategy by {by} (95% interval {interval})."))
            }
            Standing::Below => {
                Some(format!("There the uniform strategy is better than it by {by} (95% interval {interval})."))
            }
            Standing::Tied => Some(format!(
                "There it cannot be told apart from the uniform strategy: they differ by {} points (95% interval {interval}).",
                signed(compared.difference)
            )),
        }
    }));
    sentences
}

/// What a repair makes of the winner.
fn repaired(report: &Report, winner: &ReportedCandidate) -> Option<String> {
    let scores = on_both(report, winner.repaired.as_ref()?, winner.repaired_test.as_ref());
    Some(format!("Repaired in closed form, without labels or training, it {scores}."))
}

/// What a short training makes of the winner.
fn short_tuned(report: &Report, winner: &ReportedCandidate) -> Option<String> {
    let scores = on_both(report, winner.short_tuned.as_ref()?, winner.short_tuned_test.as_ref());
    let epochs = counted(report.request.short_tune_epochs.into(), "epoch");
    Some(format!("Trained for {epochs} on the calibration images, it {scores}."))
}

fn on_both(report: &Report, scoring: &ScoredOn, test: Option<&ScoredOn>) -> String {
    let on_test = test.map(|on| format!(", and {}", scored(report, on, "test")));
    format!("{}{}", scored(report, scoring, "scoring"), on_test.unwrap_or_default())
}

fn latencies(winner: &ReportedCandidate) -> Vec<String> {
    if winner.latencies.is_empty() {
        return vec!["Its latency was not measured.".to_owned()];
    }
    let said = winner.latencies.iter().map(|measured| {
        let (latency, speedup) = (&measured.latency, measured.speedup);
        let verdict = match speedup {
            s if s > 1.0 + SAME_SPEED => format!("it is {s:.2} times as fast"),
            s if s < 1.0 - SAME_SPEED => format!("it is slower, and takes {:.2} times as long", 1.0 / s),
            _ => "it is no faster".to_owned(),
        };
        format!(
            "In {}, it takes {} and the full network {}: {verdict}.",
            conditions(latency),
            milliseconds(latency.milliseconds),
            milliseconds(latency.full_milliseconds),
        )
    });
    said.collect()
}

/// What the winner was measured to keep of the latency that a budget limits, and how that was told beforehand.
fn latency_budget(report: &Report, section: &ReportSection, winner: &ReportedCandidate) -> Option<String> {
    let allowed = section.limits?.latency?;
    let of = report.request.latency_of;
    let measured = of.among(winner.latencies.iter().map(|measured| &measured.latency));
    let kept = match measured {
        Some(latency) => format!("measured, it takes {}", percent(1.0 / latency.speedup())),
        None => "that was not measured".to_owned(),
    };
    let told = report.latency_model.as_ref().map(|model| {
        format!(
            ". Latencies were predicted by a model of {}, which is off by {} in the median",
            counted(u64::from(model.networks), "measured network"),
            percent(model.error)
        )
    });
    Some(format!(
        "The budget allows {} of the full network's latency in {}; {kept}{}.",
        percent(allowed),
        of.in_words(),
        told.unwrap_or_default()
    ))
}
