//! Where the tunings of a race stand, best first.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;

use eagleeye_spec::{Epoch, Score, TuningRung, best_tuned_first};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use crate::entities::{RunState, tuning, tuning_epoch};
use crate::error::{Kind, StoreError};
use crate::number::{from_json, from_sql};

/// A tuning in a race. What it was trained for outside of it does not count.
#[derive(Debug)]
pub(crate) struct Standing {
    pub row: tuning::Model,
    /// The last rung that it is or was in, from 0.
    pub rung: u32,
    /// Epochs that it was trained for.
    pub epochs: u32,
    /// After the last of these.
    pub validation: Option<Score>,
}

impl Standing {
    /// Whether it can no longer win.
    pub fn is_out(&self) -> bool {
        self.row.has_left_race || matches!(self.row.state, RunState::Failed | RunState::Cancelled)
    }

    /// Who is out comes last; then who has come further is ahead, and of those who are as far, who scores better. Tunings were
    /// created in the order in which the search has ranked their candidates.
    fn best_first(&self, other: &Self) -> Ordering {
        let by_place = |standing: &Self| (standing.is_out(), Reverse(standing.rung), Reverse(standing.epochs));
        let by_score = match (&self.validation, &other.validation) {
            (Some(own), Some(other)) => best_tuned_first(own, other),
            (own, other) => other.is_some().cmp(&own.is_some()),
        };
        by_place(self).cmp(&by_place(other)).then(by_score).then(self.row.id.cmp(&other.row.id))
    }
}

/// All tunings of a race, best first.
pub(crate) async fn standings<C: ConnectionTrait>(
    connection: &C,
    race_id: Uuid,
    rungs: &[TuningRung],
) -> Result<Vec<Standing>, StoreError> {
    let rows = tuning::Entity::find().filter(tuning::Column::RaceId.eq(race_id)).all(connection).await?;
    let mut standings = Vec::with_capacity(rows.len());
    for row in rows {
        let rung: u32 = from_sql(Kind::Tuning, "race_rung", row.race_rung.unwrap_or_default())?;
        standings.push(Standing { row, rung, epochs: 0, validation: None });
    }
    count_epochs(connection, &mut standings, rungs).await?;
    read_scores(connection, &mut standings).await?;
    standings.sort_by(Standing::best_first);
    Ok(standings)
}

/// Counts the epochs up to the end of the rung that each is in.
async fn count_epochs<C: ConnectionTrait>(
    connection: &C,
    standings: &mut [Standing],
    rungs: &[TuningRung],
) -> Result<(), StoreError> {
    let ids = standings.iter().map(|standing| standing.row.id);
    let stored: Vec<(Uuid, i32)> = tuning_epoch::Entity::find()
        .select_only()
        .columns([tuning_epoch::Column::TuningId, tuning_epoch::Column::Epoch])
        .filter(tuning_epoch::Column::TuningId.is_in(ids))
        .order_by_asc(tuning_epoch::Column::Epoch)
        .into_tuple()
        .all(connection)
        .await?;
    let ends: HashMap<Uuid, u32> = standings
        .iter()
        .filter_map(|standing| Some((standing.row.id, rungs.get(standing.rung as usize)?.until_epoch)))
        .collect();
    let mut last = HashMap::new();
    for (id, epoch) in stored {
        let epoch: u32 = from_sql(Kind::Tuning, "epoch", epoch)?;
        if ends.get(&id).is_some_and(|end| epoch <= *end) {
            last.insert(id, epoch);
        }
    }
    for standing in standings {
        standing.epochs = last.get(&standing.row.id).copied().unwrap_or_default();
    }
    Ok(())
}

async fn read_scores<C: ConnectionTrait>(connection: &C, standings: &mut [Standing]) -> Result<(), StoreError> {
    let trained = standings.iter().filter(|standing| standing.epochs > 0);
    let wanted = trained.fold(Condition::any(), |any, Standing { row, epochs, .. }| {
        any.add(tuning_epoch::Column::TuningId.eq(row.id).and(tuning_epoch::Column::Epoch.eq(*epochs)))
    });
    if wanted.is_empty() {
        return Ok(());
    }
    let rows = tuning_epoch::Entity::find().filter(wanted).all(connection).await?;
    let mut scores = HashMap::new();
    for row in rows {
        let epoch: Epoch = from_json(Kind::Tuning, "row", row.row)?;
        scores.insert(row.tuning_id, epoch.validation);
    }
    for standing in standings {
        standing.validation = scores.remove(&standing.row.id);
    }
    Ok(())
}
