//! `run`: a race of tunings, with a worker killed in the middle of it.

use std::path::Path;
use std::time::Duration;

use eagleeye_spec::TuningRaceRequest;
use eagleeye_store::{RaceState, TuningRace, TuningState, Uuid};
use rustix::process::Signal;
use serde_json::json;

use crate::service::{PATIENCE, Service, World};
use crate::support::until;

impl World {
    /// The race, once it is as it should be.
    async fn race_when(&self, what: &str, id: Uuid, holds: impl Fn(&TuningRace) -> bool) -> TuningRace {
        until(what, PATIENCE, async || Some(self.store.tuning_races().get(id).await.unwrap()).filter(&holds)).await
    }

    async fn weights_of(&self, tuning: Uuid) -> String {
        let ended = until("the tuning ends", PATIENCE, async || {
            Some(self.store.tunings().get(tuning).await.unwrap()).filter(|tuning| tuning.state.is_final())
        })
        .await;
        assert_eq!((ended.state, ended.error), (TuningState::Succeeded, None));
        ended.weights.unwrap().to_string()
    }
}

/// Three candidates, of whom two go on after an epoch and one after two; the same one alone ends with the same weights.
#[tokio::test]
async fn the_winner_of_a_race_is_what_it_would_be_if_it_were_tuned_alone() {
    let world = World::new().await;
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/data_folders/small.pt");
    let model = world.model(&small).await;
    let search = world.search(&model, json!({ "candidates": 3, "macs": 0.4, "test_images": 500 })).await;
    let mut worker = world.start("first");
    world.ended(search).await;
    worker.signal(Signal::TERM);
    worker.exit(Duration::from_secs(15)).await;

    let request = json!({
        "candidates": 3, "epochs": 6, "options": { "crop_padding": 1, "average": 0.9, "distillation": {}, "seed": 3 },
    });
    let request: TuningRaceRequest = serde_json::from_value(request).unwrap();
    let race = world.store.tuning_races().create(search, &request).await.unwrap().id;
    let mut command = world.command("killed");
    let mut child = command.args(["--snapshot-seconds", "0"]).env("RUST_LOG", "warn").spawn().unwrap();
    let mut killed = Service { server: child.stdin.take(), log: None, child };
    let is_in_second_rung = |race: &TuningRace| {
        let mut members = race.members.iter();
        members.any(|member| member.rung == 1 && member.state == TuningState::Running)
    };
    world.race_when("the second rung begins", race, is_in_second_rung).await;
    killed.signal(Signal::KILL);
    killed.exit(Duration::from_secs(20)).await;
    world.store.queue().worker_died("killed").await.unwrap();

    let mut other = world.start("other");
    let race = world.race_when("the race ends", race, |race| race.state.is_final()).await;
    assert_eq!((race.state, race.error.clone()), (RaceState::Succeeded, None));
    let places: Vec<_> = race.members.iter().map(|member| (member.rung, member.epochs, member.is_out)).collect();
    assert_eq!(places, [(2, 3, false), (1, 2, true), (0, 1, true)]);
    let top1 = |place: usize| race.members[place].validation.unwrap().top1;
    assert!(top1(0) > 0.5 && top1(1) > 0.5, "{race:?}");

    let winner = world.store.tunings().get(race.winner_id.unwrap()).await.unwrap();
    assert_eq!((winner.id, winner.request.epochs), (race.members[0].tuning_id, Some(3)));
    let alone = world.store.tunings().create(winner.candidate_id, &winner.request).await.unwrap().id;
    // The one that was out first is trained to its end, too.
    let out = world.store.tunings().retry(race.members[2].tuning_id).await.unwrap();
    assert_eq!(world.weights_of(alone).await, world.weights_of(winner.id).await);
    assert_eq!(world.result_of(alone).await, world.result_of(winner.id).await);
    let of_rows = async |id| {
        let rows = world.store.tunings().epochs(id).await.unwrap();
        rows.into_iter().map(|row| (row.epoch, row.steps, row.loss, row.validation)).collect::<Vec<_>>()
    };
    assert_eq!(of_rows(alone).await, of_rows(winner.id).await);
    world.weights_of(out.id).await;
    assert_eq!(of_rows(out.id).await.len(), 3);
    assert_eq!(world.store.tuning_races().get(race.id).await.unwrap().winner_id, Some(winner.id));
    other.signal(Signal::TERM);
    other.exit(Duration::from_secs(15)).await;
}
