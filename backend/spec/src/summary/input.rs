//! What a report is made from.

use std::collections::BTreeMap;

use super::types::{ReportedEnd, ReportedSplit};
use crate::candidate::{Baseline, Candidate};
use crate::latency::Latency;
use crate::latency_model::LatencyModel;
use crate::request::SearchRequest;
use crate::warning::Warning;

/// What a search has stored.
#[derive(Debug, Clone, Copy)]
pub struct ReportInput<'a> {
    /// The search's name.
    pub name: Option<&'a str>,
    /// The model's name.
    pub model: &'a str,
    /// The dataset's name.
    pub dataset: &'a str,
    /// Classes that the model tells apart, where that is known: what chance is depends on it.
    pub classes: Option<u32>,
    pub request: &'a SearchRequest,
    pub baseline: &'a Baseline,
    /// Calibration, scoring and test images.
    pub split: ReportedSplit,
    pub candidates: &'a [Candidate],
    /// By the candidate's index.
    pub latencies: &'a BTreeMap<u32, Vec<Latency>>,
    /// What has told the latency of strategies.
    pub latency_model: Option<&'a LatencyModel>,
    pub warnings: &'a [Warning],
    /// Seconds that the search took.
    pub seconds: Option<f64>,
    pub ended: ReportedEnd,
    /// Why the search failed.
    pub error: Option<&'a str>,
}
