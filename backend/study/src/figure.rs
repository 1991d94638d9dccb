//! The paper's main figure: each figure that is known before fine-tuning against the accuracy after it, as SVG.

use std::ops::Range;

use eagleeye_spec::StrategyName;
use plotters::prelude::*;

use crate::correlation::Coefficient;
use crate::markdown::candidates;
use crate::members::UNIFORM;
use crate::predictor::{Predictor, ScoreMeasure};
use crate::report::{BudgetStudy, StudyReport};

/// Width and height of one panel in pixels.
const PANEL: (u32, u32) = (330, 280);
const HEAD: u32 = 30;
const COLUMNS: usize = 4;
const TEXT: RGBColor = RGBColor(60, 66, 74);
const MARK: RGBColor = RGBColor(37, 99, 176);
/// The uniform strategy, which every other one is judged against.
const REFERENCE: RGBColor = RGBColor(201, 88, 28);

/// The drawing library's own reason.
#[derive(Debug, thiserror::Error)]
#[error("the figure cannot be drawn: {0}")]
pub struct FigureError(String);

/// Panels for each budget, four in a row, a panel for each predictor; a bar joins the fine-tunings of a candidate.
///
/// # Errors
/// What the drawing library says.
pub fn figure(report: &StudyReport) -> Result<String, FigureError> {
    let mut svg = String::new();
    drawn(report, &mut svg).map_err(|error| FigureError(error.to_string()))?;
    Ok(svg)
}

fn drawn(report: &StudyReport, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let rows = |budget: &BudgetStudy| budget.predictors.len().div_ceil(COLUMNS).max(1);
    let height = |budget: &BudgetStudy| HEAD + rows(budget) as u32 * PANEL.1;
    let whole: u32 = report.budgets.iter().map(height).sum();
    let most = report.budgets.iter().map(|budget| budget.predictors.len()).max().unwrap_or_default();
    let size = (most.clamp(1, COLUMNS) as u32 * PANEL.0, whole.max(HEAD + PANEL.1));
    let mut rest = SVGBackend::with_string(svg, size).into_drawing_area();
    rest.fill(&WHITE)?;
    for budget in &report.budgets {
        let (area, below) = rest.split_vertically(height(budget));
        let caution = if budget.undecided.is_empty() { "" } else { ": this decides nothing" };
        let title = format!(
            "{}, {}{caution} (orange: uniform; bars join the fine-tunings of one)",
            budget.budget,
            candidates(budget)
        );
        let area = area.titled(&title, ("sans-serif", 15).into_font().color(&TEXT))?;
        let panels = area.split_evenly((rows(budget), most.clamp(1, COLUMNS)));
        for (place, area) in (0..budget.predictors.len()).zip(panels) {
            panel(budget, place, &area)?;
        }
        rest = below;
    }
    rest.present()?;
    Ok(())
}

fn panel<B: DrawingBackend>(
    budget: &BudgetStudy,
    place: usize,
    area: &DrawingArea<B, plotters::coord::Shift>,
) -> Result<(), Box<dyn std::error::Error>>
where
    B::ErrorType: 'static,
{
    let study = &budget.predictors[place];
    let rho = study.correlations.iter().find(|c| c.coefficient == Coefficient::Spearman).and_then(|c| c.value);
    let rho = rho.map_or(String::new(), |value| format!(": ρ = {value:.2}"));
    let known = || budget.candidates.iter().filter_map(|point| Some((point, point.values[place]?)));
    let across = range(known().map(|(_, value)| value));
    let up = range(known().flat_map(|(point, _)| point.tuned.iter().copied()));
    let mut chart = ChartBuilder::on(area)
        .margin(8)
        .x_label_area_size(36)
        .y_label_area_size(52)
        .caption(format!("{}{rho}", study.predictor.name()), ("sans-serif", 12).into_font().color(&TEXT))
        .build_cartesian_2d(across.clone(), up.clone())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.08))
        .axis_style(BLACK.mix(0.4))
        .label_style(("sans-serif", 11).into_font().color(&TEXT))
        .x_labels(4)
        .y_labels(5)
        .x_label_formatter(&|value| format!("{value:.*}", digits(&across)))
        .y_label_formatter(&|value| format!("{value:.*}", digits(&up)))
        .x_desc(described(&study.predictor))
        .y_desc("top-1 after fine-tuning")
        .draw()?;
    let colour = |strategy: &StrategyName| if strategy.0 == UNIFORM { REFERENCE } else { MARK };
    for (point, value) in known() {
        let colour = colour(&point.strategy);
        let ends = point
            .tuned
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &tuned| (low.min(tuned), high.max(tuned)));
        chart.draw_series([PathElement::new(vec![(value, ends.0), (value, ends.1)], colour.mix(0.45))])?;
        let mean = point.tuned.iter().sum::<f64>() / point.tuned.len() as f64;
        chart.draw_series([Circle::new((value, mean), 3, colour.mix(0.85).filled())])?;
    }
    Ok(())
}

fn described(predictor: &Predictor) -> &'static str {
    match predictor {
        Predictor::Evaluation { measure: ScoreMeasure::Top1, .. } => "top-1 before fine-tuning",
        Predictor::Evaluation { .. } => "before fine-tuning",
        Predictor::Parameters | Predictor::SmallestKeepRatio => "of the strategy",
    }
}

/// From the lowest to the highest value and a little beyond.
fn range(values: impl Iterator<Item = f64>) -> Range<f64> {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    let beyond = ((high - low) * 0.06).max(1e-4);
    low - beyond..high + beyond
}

/// Digits behind the point by which the labels of an axis differ.
fn digits(range: &Range<f64>) -> usize {
    match range.end - range.start {
        span if span < 0.03 => 4,
        span if span < 0.3 => 3,
        span if span < 30.0 => 2,
        _ => 0,
    }
}
