//! The main job, interrupted in every way, and cancelled.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{candidates, request, start_search, upload_example, wait_for_candidates, wait_for_end, workers};
use crate::answer::id;
use crate::server::{Server, until};

/// What must be the same to the last digit, whatever happened in between.
fn leaderboard(server: &Server, search: &str) -> Vec<Value> {
    let kept = ["index", "groups", "macs", "parameters", "score", "score_without_adaptation"];
    let candidates = candidates(server, search);
    candidates.iter().map(|c| kept.iter().map(|k| ((*k).to_owned(), c[*k].clone())).collect::<Value>()).collect()
}

fn kill_workers(server: &Server) {
    let workers = workers(server);
    assert_eq!(workers.len(), 1);
    assert!(Command::new("kill").args(["-9", &workers[0].to_string()]).status().unwrap().success());
}

/// One search in peace, with all that it must bring; then the same with its worker and its server killed.
#[test]
fn a_search_brings_its_winner_and_gives_the_same_leaderboard_when_worker_and_server_are_killed() {
    let undisturbed = {
        let data = tempfile::tempdir().unwrap();
        let server = Server::real(data.path(), &[]);
        let search = start_search(&server);
        let ended = wait_for_end(&server, &search);
        assert_eq!(ended["state"], "succeeded", "{ended}");
        assert_winner(&server, &search, &ended);
        leaderboard(&server, &search)
    };
    assert_eq!(undisturbed.len(), 6);

    let data = tempfile::tempdir().unwrap();
    let server = Server::real(data.path(), &[]);
    let search = start_search(&server);
    wait_for_candidates(&server, &search, 1);
    kill_workers(&server);
    wait_for_candidates(&server, &search, 3);
    server.kill();

    let server = Server::real(data.path(), &[]);
    let ended = wait_for_end(&server, &search);
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(leaderboard(&server, &search), undisturbed);
}

fn assert_winner(server: &Server, search: &str, ended: &Value) {
    let candidates = candidates(server, search);
    let top1 = |c: &Value| c["score"]["top1"].as_f64().unwrap();
    let best = candidates.iter().find(|c| c["id"] == ended["best_candidate_id"]).unwrap();
    assert!(candidates.iter().all(|c| top1(c) <= top1(best)));
    let without: f64 = best["score_without_adaptation"]["top1"].as_f64().unwrap();
    assert!(top1(best) > without + 0.1, "adaptive BN must matter: {best}");
    let full = ended["baseline"]["score"]["top1"].as_f64().unwrap();
    assert!(full > 0.9 && top1(best) > 0.85, "full {full}, best {}", top1(best));

    let split = &ended["split"];
    assert_eq!((&split["calibration"], &split["scoring"]), (&json!(320), &json!(500)));
    let path = format!("/candidates/{}/checkpoints", id(best));
    let files = until("all formats are ready", Duration::from_secs(120), || {
        let items = server.get(&path).expect(200)["items"].as_array().unwrap().clone();
        (items.len() == 3 && items.iter().all(|c| c["state"] == "ready")).then_some(items)
    });
    for file in files {
        assert!(file["max_difference"].as_f64().unwrap() <= 1e-4, "{file}");
        let download = server.get(&format!("/checkpoints/{}/file", id(&file)));
        assert_eq!((download.status, download.body.len() as u64), (200, file["bytes"].as_u64().unwrap()));
    }
}

#[test]
fn a_cancel_takes_effect_within_a_second() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::real(data.path(), &[]);
    let (model, dataset) = upload_example(&server);
    let mut long = request(&model, &dataset);
    long["candidates"] = json!(200);
    let search = id(&server.post("/searches", &long).expect(202));
    wait_for_candidates(&server, &search, 1);

    let asked = Instant::now();
    assert_eq!(server.post(&format!("/searches/{search}/cancel"), &json!({})).status, 202);
    until("the search is cancelled", Duration::from_secs(5), || {
        (server.get(&format!("/searches/{search}")).expect(200)["state"] == "cancelled").then_some(())
    });
    let took = asked.elapsed();
    assert!(took < Duration::from_millis(1200), "took {took:?}, half a poll included");

    let stored = candidates(&server, &search).len();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(candidates(&server, &search).len(), stored, "nothing is evaluated after a cancel");
}
