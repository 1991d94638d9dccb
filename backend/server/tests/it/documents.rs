//! What the server says about itself.

use std::process::Command;

use serde_json::Value;

use crate::contract::Asked;
use crate::server::{fake, program};

fn printed(task: &str) -> String {
    let output = Command::new(program()).arg(task).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn documented(name: &str) -> String {
    let path = format!("{}/../../docs/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn the_stored_documents_are_current() {
    for (task, name) in [("openapi", "openapi.json"), ("problems", "problems.md"), ("warnings", "warnings.md")] {
        assert!(printed(task) == documented(name), "run `eagleeye {task} > docs/{name}`");
    }
}

#[test]
fn the_document_is_served_and_can_be_browsed_without_another_site() {
    let (_data, server) = fake();
    let get = |path: &str| server.ask(Asked::Documented, "GET", path, |request| request);
    let document: Value = get("/api/v1/openapi.json").expect(200);
    assert_eq!(document, serde_json::from_str::<Value>(&documented("openapi.json")).unwrap());

    let page = get("/docs/");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html"));
    for needed in ["swagger-ui-bundle.js", "swagger-initializer.js", "swagger-ui.css"] {
        assert!(page.text().contains(needed), "{}", page.text());
        assert_eq!(get(&format!("/docs/{needed}")).status, 200);
    }
    assert!(!page.text().contains("https://"), "{}", page.text());
}

#[test]
fn every_operation_has_a_name_of_its_own_and_refuses_with_problems() {
    let document: Value = serde_json::from_str(&documented("openapi.json")).unwrap();
    let mut names = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            names.push(operation["operationId"].as_str().unwrap());
            for (status, response) in operation["responses"].as_object().unwrap() {
                assert!(!response["description"].as_str().unwrap().is_empty(), "{method} {path} {status}");
                // What HEAD is answered with has no body.
                if status.starts_with('4') && method != "head" {
                    let problem = &response["content"]["application/problem+json"]["schema"]["$ref"];
                    assert_eq!(problem, "#/components/schemas/Problem", "{method} {path} {status}");
                }
            }
        }
    }
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert!(all > 20 && names.len() == all, "{names:?}");
}
