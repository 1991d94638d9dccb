//! Evaluations of candidates. They are written with their candidate and go with it.

use std::collections::BTreeMap;

use eagleeye_spec::{Evaluation, EvaluationKind, ImageSet, RANKED_IMAGES, RANKED_KIND, Score};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    RelationDef,
};
use uuid::Uuid;

use crate::entities::{candidate, evaluation};
use crate::error::{Kind, StoreError};
use crate::number::{from_sql, to_i64};

/// Candidates asked for in one query: databases take a limited number of parameters.
const IDS_PER_QUERY: usize = 1000;

pub(crate) async fn insert(
    transaction: &DatabaseTransaction,
    candidate_id: Uuid,
    evaluations: &[Evaluation],
) -> Result<(), StoreError> {
    for &Evaluation { kind, image_set, images, score, seconds } in evaluations {
        let row = evaluation::ActiveModel {
            candidate_id: Set(candidate_id),
            kind: Set(kind.name().to_owned()),
            image_set: Set(image_set.name().to_owned()),
            images: Set(to_i64("images", images)?),
            top1: Set(score.top1),
            top5: Set(score.top5),
            cross_entropy: Set(score.cross_entropy),
            seconds: Set(seconds),
        };
        evaluation::Entity::insert(row).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// The evaluations of these candidates, in the order of their kinds and sets of images. A candidate that is gone is not in the
/// answer.
pub(crate) async fn of<C: ConnectionTrait>(
    connection: &C,
    candidates: &[Uuid],
) -> Result<BTreeMap<Uuid, Vec<Evaluation>>, StoreError> {
    let mut found: BTreeMap<Uuid, Vec<Evaluation>> = BTreeMap::new();
    for ids in candidates.chunks(IDS_PER_QUERY) {
        let of_ids = evaluation::Column::CandidateId.is_in(ids.iter().copied());
        for row in evaluation::Entity::find().filter(of_ids).all(connection).await? {
            found.entry(row.candidate_id).or_default().push(row.try_into()?);
        }
    }
    for evaluations in found.values_mut() {
        evaluations.sort_by_key(|evaluation| (evaluation.kind, evaluation.image_set));
    }
    Ok(found)
}

/// From a candidate to its evaluations.
pub(crate) fn of_candidate() -> RelationDef {
    candidate::Entity::belongs_to(evaluation::Entity)
        .from(candidate::Column::Id)
        .to(evaluation::Column::CandidateId)
        .into()
}

/// The evaluation that candidates are ranked by.
pub(crate) fn is_ranked() -> Condition {
    Condition::all()
        .add(evaluation::Column::Kind.eq(RANKED_KIND.name()))
        .add(evaluation::Column::ImageSet.eq(RANKED_IMAGES.name()))
}

impl TryFrom<evaluation::Model> for Evaluation {
    type Error = StoreError;

    fn try_from(row: evaluation::Model) -> Result<Self, StoreError> {
        let unknown = |column, name: &str| StoreError::Corrupt {
            kind: Kind::Candidate,
            column,
            reason: format!("this version does not know `{name}`"),
        };
        Ok(Evaluation {
            kind: EvaluationKind::named(&row.kind).ok_or_else(|| unknown("kind", &row.kind))?,
            image_set: ImageSet::named(&row.image_set).ok_or_else(|| unknown("image_set", &row.image_set))?,
            images: from_sql(Kind::Candidate, "images", row.images)?,
            score: Score { top1: row.top1, top5: row.top5, cross_entropy: row.cross_entropy },
            seconds: row.seconds,
        })
    }
}
