//! The page that the server carries.

use std::io::Read;

use crate::answer::{Answer, id};
use crate::contract::Asked;
use crate::puppet::Puppet;
use crate::server::{Server, fake};

fn call(server: &Server, method: &str, path: &str, header: Option<(&'static str, &str)>) -> Answer {
    ask(server, Asked::Documented, method, path, header)
}

fn ask(server: &Server, asked: Asked, method: &str, path: &str, header: Option<(&'static str, &str)>) -> Answer {
    server.ask(asked, method, path, |request| match header {
        Some((name, value)) => request.header(name, value),
        None => request,
    })
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
    let answer = ask(&server, Asked::Absent, "GET", "/metrics", Some(("accept", "text/html,application/xhtml+xml")));
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
        ask(&server, Asked::Absent, "GET", path, None).problem(404, "not-found", &[path, "/docs"]);
    }
    let posted = ask(&server, Asked::Absent, "POST", "/models", None);
    posted.problem(405, "method-not-allowed", &["POST"]);
    assert_eq!(posted.header("allow"), "GET, HEAD");
}

/// The page in one encoding, unpacked.
fn unpacked(answer: &Answer) -> Vec<u8> {
    let mut plain = Vec::new();
    match answer.header("content-encoding") {
        "br" => brotli::BrotliDecompress(&mut &answer.body[..], &mut plain).unwrap(),
        "gzip" => drop(flate2::read::GzDecoder::new(&answer.body[..]).read_to_end(&mut plain).unwrap()),
        "" => plain.clone_from(&answer.body),
        other => panic!("{other}"),
    }
    plain
}

#[test]
fn the_page_leaves_in_the_smallest_encoding_that_the_client_takes() {
    let (_data, server) = fake();
    let encoded = |accepted| call(&server, "GET", "/", Some(("accept-encoding", accepted)));
    let plain = get(&server, "/");
    assert_eq!((plain.header("content-encoding"), plain.header("vary")), ("", "accept-encoding"));
    for (accepted, encoding) in
        [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0, *", "gzip"), ("zstd", "")]
    {
        let answer = encoded(accepted);
        assert_eq!((answer.status, answer.header("content-encoding")), (200, encoding), "{accepted}");
        assert_eq!(answer.header("vary"), "accept-encoding");
        assert_eq!(answer.header("content-type"), "text/html");
        assert_eq!(unpacked(&answer), plain.body, "{accepted}");
        if !encoding.is_empty() {
            assert!(answer.body.len() < plain.body.len(), "{accepted}");
        }
    }
}

#[test]
fn each_encoding_of_the_page_has_its_own_tag() {
    let (_data, server) = fake();
    let mut tags = Vec::new();
    for accepted in ["br", "gzip", "identity"] {
        let tag = call(&server, "GET", "/", Some(("accept-encoding", accepted))).header("etag").to_owned();
        let again = server.ask(Asked::Documented, "GET", "/", |request| {
            request.header("accept-encoding", accepted).header("if-none-match", &tag)
        });
        assert_eq!((again.status, again.header("etag")), (304, tag.as_str()), "{accepted}");
        tags.push(tag);
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 3, "{tags:?}");
}

#[test]
fn documents_and_answers_leave_compressed_and_streams_and_files_do_not() {
    let (data, server) = fake();
    let model = id(&server.model("good"));
    let search = server.search();
    let encoding = |path: &str| {
        let answer = call(&server, "GET", path, Some(("accept-encoding", "br, gzip")));
        assert_eq!(answer.status, 200, "{path}");
        answer.header("content-encoding").to_owned()
    };
    for path in ["/api/v1/openapi.json", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/api/v1/models"] {
        assert!(["br", "gzip"].contains(&encoding(path).as_str()), "{path}");
    }
    assert_eq!(encoding(&format!("/api/v1/models/{model}/file")), "");
    Puppet::new(data.path()).search(&[0.9]);
    assert_eq!(encoding(&format!("/api/v1/searches/{search}/events")), "");
}
