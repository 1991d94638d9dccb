//! The report as Markdown.

use std::fmt::Write;

use eagleeye_spec::Interval;

use crate::correlation::Coefficient;
use crate::report::{BudgetStudy, Correlation, PredictorStudy, StudyReport, TrainingStudy};

/// One section for each budget, with a table of the predictors.
pub fn markdown(report: &StudyReport) -> String {
    if report.budgets.is_empty() {
        return "No candidate has come to the end of all its fine-tunings yet.\n".to_owned();
    }
    let seeds = report.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let noun = if report.seeds.len() == 1 { "seed" } else { "seeds" };
    let set = if report.is_on_test_images { "test" } else { "validation" };
    let mut text = format!(
        "Each candidate was fine-tuned from the {noun} {seeds}; its accuracy is the mean of their top-1 on {} {set} images.\n",
        report.images
    );
    if !report.is_labelled {
        text.push_str(
            "The images have no labels: every top-1 is the agreement with the full network, and no accuracy.\n",
        );
    }
    if !report.is_on_test_images {
        text.push_str(
            "There were no test images: scores and accuracies are from the same images, which makes scores look better.\n",
        );
    }
    for budget in &report.budgets {
        text.push_str(&section(budget));
    }
    text
}

fn section(budget: &BudgetStudy) -> String {
    let accuracy = &budget.accuracy;
    let percent = |share: f64| format!("{:.2}%", 100.0 * share);
    let points = |share: f64| format!("{:.2} points", 100.0 * share);
    let mut text = format!("\n## {}\n\n", budget.budget);
    let mut line = |words: String| _ = writeln!(text, "{words}");
    line(format!(
        "{}, {} to {} after fine-tuning; they differ by {} (standard deviation){}.",
        candidates(budget),
        percent(accuracy.lowest),
        percent(accuracy.highest),
        points(accuracy.spread),
        accuracy.noise.map_or(String::new(), |noise| format!(", two fine-tunings of one by {}", points(noise)))
    ));
    for undecided in &budget.undecided {
        line(format!("\n**This decides nothing**: {}.", undecided.message));
    }
    line(String::new());
    line(
        "| known before | n | Pearson | Spearman | Kendall | Spearman, above the ranking | regret | seconds |"
            .to_owned(),
    );
    line("|---|---|---|---|---|---|---|---|".to_owned());
    for predictor in &budget.predictors {
        line(row(predictor));
    }
    for training in &budget.training {
        let TrainingStudy { epochs, of, correlations, regret, seconds } = training;
        line(format!(
            "| fine-tuned, after epoch {epochs} of {of}, validation images | {} | {} | | {} | {seconds:.1} |",
            budget.candidates.len(),
            coefficients(correlations),
            points(*regret)
        ));
    }
    if let Some(ceiling) = &budget.ceiling {
        let regret = accuracy.regret.map(points).unwrap_or_default();
        line(format!(
            "| another fine-tuning (the ceiling; its regret is by single ones) | {} | {} | | {regret} | {:.1} |",
            budget.candidates.len(),
            coefficients(ceiling),
            accuracy.seconds
        ));
    }
    line(String::new());
    line(
        "In the first column, images that statistics and weights are from + images that were scored. In parentheses 95% intervals by \
         resampling the candidates, from 12 on. Vanilla scores are those of the network as it is, without adaptive batch norm; KL is the divergence \
         from the full network's answers. Above the ranking is by how much Spearman's exceeds that of the score that searches rank by, whose own row \
         has none. Regret is what the candidate with the highest value loses to the best of the *n* after \
         fine-tuning; seconds are those of one candidate. Rows of fine-tunings hold one seed against another."
            .to_owned(),
    );
    // Below this it is not 1.00.
    if let Some(attainable) = budget.attainable.filter(|attainable| *attainable < 0.995) {
        line(format!(
            "On many candidates no figure can be expected to have a Spearman's above {attainable:.2}, since the rest of the order is chance."
        ));
    }
    text
}

/// `24 candidates`.
pub fn candidates(budget: &BudgetStudy) -> String {
    let count = budget.candidates.len();
    format!("{count} candidate{}", if count == 1 { "" } else { "s" })
}

fn row(study: &PredictorStudy) -> String {
    let above = study.above_ranking.as_ref().map_or("".to_owned(), |above| with_interval(above, true));
    let seconds = if study.seconds > 0.0 { format!("{:.1}", study.seconds) } else { String::new() };
    format!(
        "| {} | {} | {} | {above} | {:.2} points | {seconds} |",
        study.name,
        study.candidates,
        coefficients(&study.correlations),
        100.0 * study.regret
    )
}

fn coefficients(found: &[Correlation]) -> String {
    let of = |coefficient: Coefficient| {
        found
            .iter()
            .find(|correlation| correlation.coefficient == coefficient)
            .map_or(String::new(), |c| with_interval(c, false))
    };
    Coefficient::ALL.map(of).join(" | ")
}

fn with_interval(correlation: &Correlation, is_signed: bool) -> String {
    let number = |value: f64| if is_signed { format!("{value:+.2}") } else { format!("{value:.2}") };
    match (correlation.value, correlation.interval) {
        (Some(value), Some(Interval { low, high })) => {
            format!("{} ({} to {})", number(value), number(low), number(high))
        }
        (Some(value), None) => number(value),
        (None, _) => "–".to_owned(),
    }
}
