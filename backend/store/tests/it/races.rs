//! Races, and workers that train in them.

use eagleeye_spec::TuningRaceRequest;
use eagleeye_store::{Claim, Lease, RaceMember, SEARCH_JOB, StoreError, TUNING_JOB, TuningRace, Uuid, Wanted};
use serde_json::json;

use crate::support::World;
use crate::trained::epoch;

const TUNINGS: [Wanted<'static>; 1] = [Wanted { kind: TUNING_JOB, priority: 0 }];
const SEARCHES: [Wanted<'static>; 1] = [Wanted { kind: SEARCH_JOB, priority: 0 }];

/// A search that has succeeded with so many candidates, the first of which is the best.
pub async fn searched(world: &World, candidates: u32) -> Uuid {
    let search = world.search().await.id;
    let lease = world.store.queue().claim("a", &SEARCHES).await.unwrap().unwrap().lease;
    for index in 0..candidates {
        world.record(&lease, index, 0.9 - f64::from(index) / 100.0).await;
    }
    world.store.searches().finish(&lease).await.unwrap();
    search
}

pub fn request(candidates: u32, epochs: u32) -> TuningRaceRequest {
    serde_json::from_value(json!({ "candidates": candidates, "epochs": epochs, "options": { "seed": 5 } })).unwrap()
}

/// A race of four candidates, who are four in the first epoch, two in the second and one in the third.
pub async fn race(world: &World) -> TuningRace {
    let search = searched(world, 5).await;
    world.store.tuning_races().create(search, &request(4, 7)).await.unwrap()
}

pub async fn get(world: &World, id: Uuid) -> TuningRace {
    world.store.tuning_races().get(id).await.unwrap()
}

/// Tunings in their order of place.
pub fn tunings(race: &TuningRace) -> Vec<Uuid> {
    race.members.iter().map(|member| member.tuning_id).collect()
}

/// The candidates' numbers in order of place, with how far each has come, and whether it is out.
pub fn places(race: &TuningRace) -> Vec<(u32, u32, u32, bool)> {
    let place = |member: &RaceMember| (member.index, member.rung, member.epochs, member.is_out);
    race.members.iter().map(place).collect()
}

/// Claims a tuning; `None` where no worker could go on.
pub async fn next(world: &World, worker: &str) -> Option<Claim> {
    world.store.queue().claim(worker, &TUNINGS).await.unwrap()
}

/// Claims a tuning that must be there.
pub async fn claim(world: &World) -> Claim {
    next(world, "a").await.expect("there is a tuning to claim")
}

/// Stores one epoch and pauses behind it.
pub async fn train(world: &World, lease: &Lease, number: u32, loss: f64) {
    world.store.tunings().record_epoch(lease, &epoch(number, loss)).await.unwrap();
    pause(world, lease, &format!("{number} {loss} {lease:?}")).await.unwrap();
}

pub async fn pause(world: &World, lease: &Lease, content: &str) -> Result<(), StoreError> {
    let upload = world.store.upload_bytes(content.to_owned()).await.unwrap();
    world.store.tunings().reach_end_of_rung(lease, &upload).await
}
