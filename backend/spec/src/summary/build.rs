//! A report is made from what a search has stored.

use super::advice;
use super::candidates::{full_network, is_labelled, passes};
use super::input::ReportInput;
use super::sections::sections;
use super::sentences;
use super::types::{REPORT_VERSION, Report};

impl Report {
    /// The report of a search, whether it has finished or not.
    pub fn new(input: &ReportInput) -> Self {
        let mut report = Self {
            version: REPORT_VERSION,
            name: input.name.map(str::to_owned),
            model: input.model.to_owned(),
            dataset: input.dataset.to_owned(),
            request: input.request.clone(),
            split: input.split,
            labelled: is_labelled(input.warnings),
            full: full_network(input),
            sections: sections(input),
            passes: passes(input, input.candidates),
            latency_model: input.latency_model.cloned(),
            warnings: input.warnings.to_vec(),
            seconds: input.seconds,
            ended: input.ended,
            error: input.error.map(str::to_owned),
            sentences: Vec::new(),
            advice: Vec::new(),
        };
        for place in 0..report.sections.len() {
            report.sections[place].sentences = sentences::of_section(&report, &report.sections[place]);
        }
        report.sentences = sentences::of_search(&report);
        report.advice = advice::advice(&report, input.classes);
        report
    }
}
