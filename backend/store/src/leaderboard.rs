//! A search's candidates in order.

use eagleeye_spec::{RANKED_IMAGES, RANKED_KIND, evaluation_of};
use sea_orm::{EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use crate::candidates::{Candidate, Candidates, read};
use crate::entities::search;
use crate::error::{Kind, StoreError};
use crate::ordering::{CandidateSort, Measure, Term, Which, after, ordered};
use crate::page::{Page, PageRequest};

impl Candidates<'_> {
    /// One page of a search's candidates, probes left out.
    pub async fn list(
        &self,
        search_id: Uuid,
        sort: CandidateSort,
        page: &PageRequest,
    ) -> Result<Page<Candidate>, StoreError> {
        self.list_of(search_id, &Which::default(), sort, page).await
    }

    /// One page of some of a search's candidates. A cursor is good for the order it was made with.
    pub async fn list_of(
        &self,
        search_id: Uuid,
        which: &Which,
        sort: CandidateSort,
        page: &PageRequest,
    ) -> Result<Page<Candidate>, StoreError> {
        let known = search::Entity::find_by_id(search_id).one(self.0.database()).await?;
        known.ok_or_else(|| StoreError::not_found(Kind::Search, search_id))?;

        let terms = sort.terms();
        let mut query = ordered(search_id, &terms).filter(which.condition()?).limit(page.limit() + 1);
        if let Some(cursor) = &page.cursor {
            query = query.filter(after(&terms, cursor)?);
        }
        let rows = query.all(self.0.database()).await?;
        let candidates = read(self.0.database(), rows).await?;
        Ok(Page::cut(candidates, page.limit(), |last| cursor_of(&terms, last)))
    }
}

fn cursor_of(terms: &[Term], last: &Candidate) -> String {
    let values: Vec<String> = terms.iter().map(|term| value_of(term.measure, last)).collect();
    values.join("_")
}

/// The number as text that parses back to the same number.
fn value_of(measure: Measure, candidate: &Candidate) -> String {
    match measure {
        Measure::Index => candidate.index.to_string(),
        Measure::Images => {
            let ranked = evaluation_of(&candidate.evaluations, RANKED_KIND, RANKED_IMAGES);
            ranked.map_or(0, |evaluation| evaluation.images).to_string()
        }
        Measure::Top1 => candidate.score.top1.to_string(),
        Measure::Top5 => candidate.score.top5.to_string(),
        Measure::CrossEntropy => candidate.score.cross_entropy.unwrap_or(f64::MAX).to_string(),
        Measure::Macs => candidate.macs.to_string(),
        Measure::Parameters => candidate.parameters.to_string(),
        Measure::Seconds => candidate.seconds.to_string(),
    }
}
