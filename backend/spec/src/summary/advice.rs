//! What to try next: rules from the figures.

use super::types::{Comparison, Report, ReportSection, ReportedCandidate, ReportedEnd, Standing};
use super::words::{conditions, listed, percent, points};
use crate::interval::{Interval, Z};
use crate::warning::{WIDE_INTERVAL, WarningCode};

/// A winner that is further below the full network than this has lost much.
const MUCH: f64 = 0.05;
/// A network that is not further than this on the way from chance to certainty is near chance.
const NEAR: f64 = 0.1;
/// A speed-up that is no further from 1 than this is none.
const SAME_SPEED: f64 = 0.02;
/// To ask for more images than this is no help.
const MOST_IMAGES: f64 = 1e6;

/// With these no score can be relied on.
const DOUBTS: [WarningCode; 6] = [
    WarningCode::NearChance,
    WarningCode::AboveFullNetwork,
    WarningCode::OneAnswer,
    WarningCode::OtherPresetFits,
    WarningCode::ClassOrderSuspect,
    WarningCode::InputSizeDiffers,
];

/// The most important first; each once, with the budgets that it is for where that is not all of them.
pub(super) fn advice(report: &Report, classes: Option<u32>) -> Vec<String> {
    let mut advice = doubts(report);
    // What a failed search has found is no ground for the next step.
    if report.ended == ReportedEnd::Failed {
        advice.push("Mend what the search failed by, and search again.".to_owned());
        return advice;
    }
    let mut by_text: Vec<(String, Vec<String>)> = Vec::new();
    for section in &report.sections {
        for text in of_section(report, section, classes) {
            match by_text.iter_mut().find(|(known, _)| *known == text) {
                Some((_, titles)) => titles.push(section.title.clone()),
                None => by_text.push((text, vec![section.title.clone()])),
            }
        }
    }
    advice.extend(by_text.into_iter().map(|(text, titles)| {
        if titles.len() == report.sections.len() { text } else { format!("For {}: {text}", listed(&titles)) }
    }));
    advice.extend(of_search(report));
    advice
}

fn doubts(report: &Report) -> Vec<String> {
    let found = DOUBTS.iter().filter(|code| report.warnings.iter().any(|warning| warning.code == **code));
    let codes: Vec<String> = found.map(|code| code.name().to_owned()).collect();
    if codes.is_empty() {
        return Vec::new();
    }
    let noun = if codes.len() == 1 { "warning" } else { "warnings" };
    vec![format!("Look into the {noun} {} first: until then the scores cannot be relied on.", listed(&codes))]
}

fn of_section(report: &Report, section: &ReportSection, classes: Option<u32>) -> Vec<String> {
    let Some(winner) = &section.winner else {
        return vec!["Run the search to its end, or evaluate candidates for this budget.".to_owned()];
    };
    let is_near_chance = classes.is_some_and(|classes| near_chance(winner, classes));
    let mut advice = Vec::new();
    if is_near_chance {
        advice.push(format!(
            "Even the best candidate is near chance ({}) with adaptive batch norm, so the scores say little about which one is \
             worth training. Set a larger budget, or fine-tune several candidates and compare those.",
            percent(winner.scoring.score.top1)
        ));
    }
    match &winner.against_uniform {
        Some(compared) => advice.extend(against_uniform(compared)),
        None if section.budget.is_some() => {
            advice.push("Evaluate the uniform strategy too, to see whether the search was worth it.".to_owned());
        }
        None => {}
    }
    let lost = winner.against_full.filter(|compared| compared.standing == Standing::Below);
    if let Some(lost) = lost.filter(|lost| lost.difference <= -MUCH && !is_near_chance) {
        advice.push(format!(
            "The winner is {} below the full network before any training: fine-tune it, or set a larger budget.",
            points(lost.difference)
        ));
    }
    advice.extend(slower(report, winner));
    let scoring = &winner.scoring;
    if scoring.intervals.top1.width() > WIDE_INTERVAL {
        let (top1, images) = (scoring.score.top1, scoring.images);
        advice.push(format!(
            "Score on more images: with {images} the 95% interval of the score is {} wide, with {} it is {}.",
            points(scoring.intervals.top1.width()),
            Interval::images_for(top1, WIDE_INTERVAL),
            points(WIDE_INTERVAL),
        ));
    }
    if section.evaluated == 1 && section.budget.is_some() {
        advice.push("Evaluate more candidates: one alone was compared with nothing.".to_owned());
    }
    advice
}

fn near_chance(winner: &ReportedCandidate, classes: u32) -> bool {
    let chance = 1.0 / f64::from(classes.max(1));
    winner.scoring.score.top1 <= chance + NEAR * (1.0 - chance)
}

fn against_uniform(compared: &Comparison) -> Option<String> {
    match compared.standing {
        Standing::Better => None,
        Standing::Same => Some(
            "No strategy was better than uniform: evaluate more candidates or try another strategy, or take the uniform \
             candidate."
                .to_owned(),
        ),
        Standing::Tied => {
            let images = images_to_tell(compared)
                .map(|images| format!(" (about {images} if the difference is real)"))
                .unwrap_or_default();
            Some(format!(
                "The winner is tied with uniform: score on more images{images}, try another strategy, or take the uniform \
                 candidate."
            ))
        }
        Standing::Below => Some(
            "Take the uniform candidate, or evaluate more candidates with another strategy: what won is below uniform."
                .to_owned(),
        ),
    }
}

/// On how many images a difference like this would be larger than the noise: two significant digits, rounded up. `None` where the
/// networks hardly differ.
fn images_to_tell(compared: &Comparison) -> Option<u64> {
    let (difference, images) = (compared.difference.abs(), compared.images as f64);
    let half = compared.interval.width() / 2.0;
    let needed = images * (half / difference).powi(2);
    // One standard error more than the half width, so that the difference is found more often than not.
    let needed = needed * ((Z + 1.0) / Z).powi(2);
    if difference == 0.0 || needed.is_nan() || needed > MOST_IMAGES || needed <= images {
        return None;
    }
    let step = 10f64.powf(needed.log10().floor() - 1.0);
    Some(((needed / step).ceil() * step) as u64)
}

fn slower(report: &Report, winner: &ReportedCandidate) -> Option<String> {
    let slowest = winner.latencies.iter().min_by(|a, b| a.speedup.total_cmp(&b.speedup))?;
    if slowest.speedup >= 1.0 + SAME_SPEED {
        return None;
    }
    let is_slower = slowest.speedup < 1.0 - SAME_SPEED;
    let verdict = if is_slower { "slower than the full network" } else { "no faster than the full network" };
    let conditions = conditions(&slowest.latency);
    let multiple = report.request.round_to.unwrap_or(8).saturating_mul(2).max(8);
    Some(format!(
        "The winner was measured to be {verdict} in {conditions}: keep multiples of {multiple} channels, or set a lower \
         budget."
    ))
}

fn of_search(report: &Report) -> Vec<String> {
    let mut advice = Vec::new();
    let has_winner = report.sections.iter().any(|section| section.winner.is_some());
    if has_winner && report.split.test == 0 {
        advice.push(
            "Hold back test images, to know how good the winners are on images that they were not chosen by."
                .to_owned(),
        );
    }
    if !report.labelled {
        advice.push("Upload labels, to measure accuracy and not only agreement with the full network.".to_owned());
    }
    if has_winner {
        advice.push(
            "Fine-tune the winners before use: no weight has been trained since pruning, and the order may change."
                .to_owned(),
        );
    }
    advice
}
