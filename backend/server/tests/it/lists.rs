//! Lists, page by page.

use serde_json::Value;

use crate::answer::id;
use crate::server::{Server, fake, request};

fn page(server: &Server, path: &str) -> Value {
    server.get(path).expect(200)
}

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(id).collect()
}

/// The pages of two behind `first`, by their ids.
fn pages_behind(server: &Server, path: &str, first: &Value) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut next = first["next_cursor"].clone();
    while let Some(cursor) = next.as_str() {
        let found = page(server, &format!("{path}?limit=2&cursor={cursor}"));
        pages.push(ids(&found));
        next = found["next_cursor"].clone();
        assert!(pages.len() < 20, "a list must end");
    }
    pages
}

#[test]
fn lists_are_handed_out_newest_first_and_page_by_page() {
    let (_data, server) = fake();
    let (mut models, mut datasets, mut searches) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        models.insert(0, id(&server.model("good")));
        datasets.insert(0, id(&server.dataset("good")));
        let queued = server.post("/searches", &request(&models[0], &datasets[0])).expect(202);
        searches.insert(0, id(&queued));
    }
    for (path, expected) in [("/models", models), ("/datasets", datasets), ("/searches", searches)] {
        assert_eq!(page(&server, path)["next_cursor"], Value::Null);
        let first = page(&server, &format!("{path}?limit=2"));
        assert_eq!(ids(&first), expected[..2], "{path}");
        assert_eq!(pages_behind(&server, path, &first), [&expected[2..4], &expected[4..]], "{path}");
    }
}

#[test]
fn a_page_goes_on_where_the_last_ended_whatever_came_or_went() {
    let (_data, server) = fake();
    let models: Vec<String> = (0..4).map(|_| id(&server.model("good"))).collect();
    let first = page(&server, "/models?limit=2");
    assert_eq!(ids(&first), [models[3].clone(), models[2].clone()]);
    server.model("good");
    server.delete(&format!("/models/{}", models[2]));
    assert_eq!(pages_behind(&server, "/models", &first), [[models[1].clone(), models[0].clone()]]);
}

#[test]
fn limits_and_cursors_that_make_no_sense_are_refused() {
    let (_data, server) = fake();
    for list in ["/models", "/datasets", "/searches"] {
        for limit in ["0", "101"] {
            let refusal = server.get(&format!("{list}?limit={limit}"));
            refusal.problem(400, "invalid-parameter", &["from 1 to 100"]);
        }
        server.get(&format!("{list}?limit=ten")).problem(400, "invalid-parameter", &[]);
        server.get(&format!("{list}?cursor=page2")).problem(400, "invalid-parameter", &["page2", "next_cursor"]);
    }
}
