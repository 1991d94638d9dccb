//! The page that the server carries.

use crate::answer::Answer;
use crate::server::{Server, fake};

fn call(server: &Server, method: &str, path: &str, header: Option<(&'static str, &str)>) -> Answer {
    let mut request = server.client.request(method.parse().unwrap(), format!("{}{path}", server.address));
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    Answer::of(request.send().unwrap())
}

fn get(server: &Server, path: &str) -> Answer {
    call(server, "GET", path, None)
}

#[test]
fn every_address_that_the_page_routes_by_itself_gives_the_page() {
    let (_data, server) = fake();
    let page = get(&server, "/");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html"));
    assert!(page.text().contains("EagleEye"));
    for path in ["/models", "/searches/019321f0-0000-7000-8000-000000000000", "/index.html"] {
        assert_eq!(get(&server, path).text(), page.text(), "{path}");
    }
}

#[test]
fn a_browser_at_an_address_that_is_not_there_gets_the_page_with_the_status_that_says_so() {
    let (_data, server) = fake();
    let answer = call(&server, "GET", "/metrics", Some(("accept", "text/html,application/xhtml+xml")));
    assert_eq!((answer.status, answer.header("content-type")), (404, "text/html"));
    assert_eq!(answer.text(), get(&server, "/").text());
    assert_eq!(answer.header("etag"), "");
}

#[test]
fn the_page_may_load_nothing_from_elsewhere() {
    let (_data, server) = fake();
    let page = get(&server, "/");
    let policy = page.header("content-security-policy");
    for rule in ["default-src 'self'", "frame-ancestors 'none'", "object-src 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert_eq!(page.header("x-content-type-options"), "nosniff");
}

#[test]
fn a_page_that_has_not_changed_is_not_sent_again() {
    let (_data, server) = fake();
    let page = get(&server, "/");
    assert_eq!(page.header("cache-control"), "no-cache");
    let again = call(&server, "GET", "/", Some(("if-none-match", page.header("etag"))));
    assert_eq!((again.status, again.body.len()), (304, 0));
    let head = call(&server, "HEAD", "/", None);
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn what_is_not_there_is_a_problem_and_not_the_page() {
    let (_data, server) = fake();
    for path in ["/api/v1/networks", "/api/v2/models", "/assets/gone.js", "/metrics", "/.env", "/models/a/b"] {
        get(&server, path).problem(404, "not-found", &[path, "/docs"]);
    }
    let posted = call(&server, "POST", "/models", None);
    posted.problem(405, "method-not-allowed", &["POST"]);
    assert_eq!(posted.header("allow"), "GET, HEAD");
}
