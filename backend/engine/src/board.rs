//! All candidates of a search so far, and their evaluations.

use std::collections::BTreeMap;

use eagleeye_spec::{Candidate, Evaluation, EvaluationKind, ImageSet, RANKED_IMAGES, RANKED_KIND, Ranked};

/// The candidates in order of index.
#[derive(Debug, Default)]
pub struct Board {
    candidates: Vec<Candidate>,
    /// By what some of the candidates are made again, by index: for others that are the same networks.
    recipes: BTreeMap<u32, Vec<u8>>,
}

impl Board {
    pub fn new(candidates: Vec<Candidate>) -> Self {
        Self { candidates, recipes: BTreeMap::new() }
    }

    pub fn len(&self) -> usize {
        self.candidates.len()
    }

    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    pub fn into_candidates(self) -> Vec<Candidate> {
        self.candidates
    }

    /// The index of the next candidate.
    pub fn next_index(&self) -> u32 {
        self.candidates.last().map_or(0, |last| last.index + 1)
    }

    pub fn get(&self, index: u32) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.index == index)
    }

    pub fn push(&mut self, candidate: Candidate) {
        self.candidates.push(candidate);
    }

    pub fn add(&mut self, index: u32, evaluation: Evaluation) {
        if let Some(candidate) = self.candidates.iter_mut().find(|candidate| candidate.index == index) {
            candidate.evaluations.push(evaluation);
        }
    }

    pub fn keep_recipe(&mut self, index: u32, recipe: Vec<u8>) {
        self.recipes.insert(index, recipe);
    }

    pub fn recipe(&self, index: u32) -> Option<&Vec<u8>> {
        self.recipes.get(&index)
    }

    /// [`by_budget`] of all candidates.
    pub fn by_budget(&self) -> BTreeMap<Option<u32>, Vec<&Candidate>> {
        by_budget(&self.candidates)
    }

    /// The evaluation that candidates are ranked by, on so many images.
    pub fn ranked_on(candidate: &Candidate, images: u64) -> Option<Ranked> {
        let evaluation = evaluation_on(candidate, RANKED_KIND, RANKED_IMAGES, images)?;
        Some(Ranked { index: candidate.index, images, score: evaluation.score })
    }

    /// The best of some candidates.
    pub fn best<'a>(candidates: impl IntoIterator<Item = &'a Candidate>) -> Option<&'a Candidate> {
        let ranked = candidates.into_iter().filter_map(|candidate| Some((candidate.ranked()?, candidate)));
        ranked.min_by(|(a, _), (b, _)| a.best_first(b)).map(|(_, candidate)| candidate)
    }
}

/// Candidates that can win, under each budget, and those that are for none.
pub fn by_budget(candidates: &[Candidate]) -> BTreeMap<Option<u32>, Vec<&Candidate>> {
    let mut groups: BTreeMap<Option<u32>, Vec<&Candidate>> = BTreeMap::new();
    for candidate in candidates.iter().filter(|candidate| !candidate.origin.is_probe) {
        groups.entry(candidate.origin.budget).or_default().push(candidate);
    }
    groups
}

/// A candidate's evaluation of a kind on so many images of a set.
pub fn evaluation_on(
    candidate: &Candidate,
    kind: EvaluationKind,
    image_set: ImageSet,
    images: u64,
) -> Option<&Evaluation> {
    let mut found = candidate.evaluations.iter();
    found.find(|e| e.kind == kind && e.image_set == image_set && e.images == images)
}
