//! What a card is made from.

use super::types::{CardFile, CardSource, CardWeights};
use crate::adaptation::Adaptation;
use crate::candidate::{Baseline, Candidate};
use crate::latency::Latency;
use crate::request::SearchRequest;
use crate::summary::ReportedSplit;
use crate::tune::TuneOptions;
use crate::tuning_result::TuningResult;
use crate::warning::Warning;

/// What is stored of a candidate and where it comes from.
#[derive(Debug, Clone)]
pub struct CardInput<'a> {
    /// `EagleEye` and its version.
    pub producer: &'a str,
    /// The file that the card is of.
    pub file: CardFile,
    pub source: CardSource,
    pub weights: CardWeights,
    pub search: CardSearch<'a>,
    /// What was asked of fine-tuning, and what came of it.
    pub tuning: Option<(&'a TuneOptions, &'a TuningResult)>,
}

/// A search and the candidate of it that a card is about.
#[derive(Debug, Clone)]
pub struct CardSearch<'a> {
    pub request: &'a SearchRequest,
    pub baseline: &'a Baseline,
    pub split: ReportedSplit,
    pub candidate: &'a Candidate,
    pub latencies: &'a [Latency],
    pub warnings: &'a [Warning],
    /// How the candidate's statistics were recomputed: some strategies have a way of their own.
    pub adaptation: Adaptation,
    /// The dataset's name, the hash of its images, that of its labels, and how many images it has.
    pub dataset: &'a str,
    pub images_hash: &'a str,
    pub labels_hash: Option<&'a str>,
    pub images: u64,
}
