//! Evaluations of candidates. They are written with their candidate and go with it.

use std::collections::BTreeMap;

use eagleeye_spec::{Errors, Evaluation, EvaluationKind, Hits, ImageSet, RANKED_IMAGES, RANKED_KIND, Score};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    RelationDef,
};
use uuid::Uuid;

use crate::entities::{candidate, evaluation};
use crate::error::{Kind, StoreError};
use crate::number::{from_sql, to_i64};

/// Candidates asked for in one query: databases take a limited number of parameters.
pub(crate) const IDS_PER_QUERY: usize = 1000;

pub(crate) async fn insert(
    transaction: &DatabaseTransaction,
    candidate_id: Uuid,
    evaluations: &[Evaluation],
) -> Result<(), StoreError> {
    for evaluation in evaluations {
        let is_current = supersede(transaction, candidate_id, evaluation).await?;
        let row = to_row(candidate_id, evaluation, is_current)?;
        evaluation::Entity::insert(row).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// Whether a candidate has an evaluation of this kind on so many images of this set.
pub(crate) async fn is_stored<C: ConnectionTrait>(
    connection: &C,
    candidate_id: Uuid,
    evaluation: &Evaluation,
) -> Result<bool, StoreError> {
    let images = to_i64("images", evaluation.images)?;
    let key = (candidate_id, evaluation.kind.name().to_owned(), evaluation.image_set.name().to_owned(), images);
    Ok(evaluation::Entity::find_by_id(key).one(connection).await?.is_some())
}

/// Whether an evaluation is on more images than all others of its kind and set, which are current no more then.
async fn supersede(
    transaction: &DatabaseTransaction,
    candidate_id: Uuid,
    evaluation: &Evaluation,
) -> Result<bool, StoreError> {
    let alike = Condition::all()
        .add(evaluation::Column::CandidateId.eq(candidate_id))
        .add(evaluation::Column::Kind.eq(evaluation.kind.name()))
        .add(evaluation::Column::ImageSet.eq(evaluation.image_set.name()));
    let images = to_i64("images", evaluation.images)?;
    let larger = alike.clone().add(evaluation::Column::Images.gt(images));
    if evaluation::Entity::find().filter(larger).one(transaction).await?.is_some() {
        return Ok(false);
    }
    let smaller = evaluation::Entity::update_many().col_expr(evaluation::Column::IsCurrent, Expr::value(false));
    smaller.filter(alike).exec(transaction).await?;
    Ok(true)
}

fn to_row(
    candidate_id: Uuid,
    evaluation: &Evaluation,
    is_current: bool,
) -> Result<evaluation::ActiveModel, StoreError> {
    let Evaluation { kind, image_set, images, calibration_images, score, intervals: _, seconds, hits } = evaluation;
    let calibration_images = calibration_images.map(|images| to_i64("calibration_images", images)).transpose()?;
    Ok(evaluation::ActiveModel {
        candidate_id: Set(candidate_id),
        kind: Set(kind.name().to_owned()),
        image_set: Set(image_set.name().to_owned()),
        images: Set(to_i64("images", *images)?),
        calibration_images: Set(calibration_images),
        top1: Set(score.top1),
        top5: Set(score.top5),
        cross_entropy: Set(score.cross_entropy),
        cross_entropy_error: Set(score.errors.cross_entropy),
        agreement: Set(score.agreement),
        kl: Set(score.kl),
        kl_error: Set(score.errors.kl),
        hits: Set(hits.as_ref().map(|hits| hits.to_bytes().to_vec())),
        is_current: Set(is_current),
        seconds: Set(*seconds),
    })
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
        evaluations.sort_by_key(|evaluation| (evaluation.kind, evaluation.image_set, evaluation.images));
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
        .add(evaluation::Column::IsCurrent.eq(true))
}

impl TryFrom<evaluation::Model> for Evaluation {
    type Error = StoreError;

    fn try_from(row: evaluation::Model) -> Result<Self, StoreError> {
        let unknown = |column, name: &str| StoreError::Corrupt {
            kind: Kind::Candidate,
            column,
            reason: format!("this version does not know `{name}`"),
        };
        let kind = EvaluationKind::named(&row.kind).ok_or_else(|| unknown("kind", &row.kind))?;
        let image_set = ImageSet::named(&row.image_set).ok_or_else(|| unknown("image_set", &row.image_set))?;
        let images = from_sql(Kind::Candidate, "images", row.images)?;
        let calibration = row.calibration_images.map(|count| from_sql(Kind::Candidate, "calibration_images", count));
        let score = Score {
            top1: row.top1,
            top5: row.top5,
            cross_entropy: row.cross_entropy,
            agreement: row.agreement,
            kl: row.kl,
            errors: Errors { cross_entropy: row.cross_entropy_error, kl: row.kl_error },
        };
        let hits = row.hits.map(|bytes| hits_of("hits", Kind::Candidate, bytes, images)).transpose()?;
        let calibration_images = calibration.transpose()?;
        let evaluation = Evaluation::new(kind, image_set, images, score);
        Ok(Evaluation { calibration_images, seconds: row.seconds, hits, ..evaluation })
    }
}

/// Stored hits of so many images.
pub(crate) fn hits_of(column: &'static str, kind: Kind, bytes: Vec<u8>, images: u64) -> Result<Hits, StoreError> {
    Hits::from_bytes(bytes, images).map_err(|error| StoreError::Corrupt { kind, column, reason: error.to_string() })
}
