//! Pages of other sites, which a visitor's browser may carry to a server on loopback.

use serde_json::json;

use crate::answer::Answer;
use crate::server::{Server, fake};

fn under_name(server: &Server, host: &str) -> Answer {
    server.call("GET", "/models", |request| request.header("host", host))
}

#[test]
fn a_server_on_loopback_goes_by_its_own_names_only() {
    let (_data, server) = fake();
    let port = server.host().rsplit(':').next().unwrap().to_owned();
    for own in
        ["localhost".to_owned(), format!("localhost:{port}"), format!("127.0.0.1:{port}"), format!("[::1]:{port}")]
    {
        assert_eq!(under_name(&server, &own).status, 200, "{own}");
    }
    under_name(&server, "rebound.example").problem(403, "forbidden", &["rebound.example", "--allowed-hosts"]);
}

#[test]
fn names_that_are_allowed_are_known() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::fake_with(data.path(), &["--workers", "0", "--allowed-hosts", "prune.example,other.example"]);
    for own in ["prune.example", "other.example:443", "localhost"] {
        assert_eq!(under_name(&server, own).status, 200, "{own}");
    }
    under_name(&server, "rebound.example").problem(403, "forbidden", &[]);
}

#[test]
fn another_sites_page_cannot_change_anything() {
    let (_data, server) = fake();
    let search = server.search();
    let cancel = format!("/searches/{search}/cancel");
    let from = |header: &'static str, value: &'static str| {
        server.call("POST", &cancel, |request| request.header(header, value).json(&json!({})))
    };
    from("sec-fetch-site", "cross-site").problem(403, "forbidden", &["other sites"]);
    from("origin", "https://evil.example").problem(403, "forbidden", &["other sites"]);
    assert_eq!(server.get(&format!("/searches/{search}")).expect(200)["state"], "queued");
    assert_eq!(from("sec-fetch-site", "same-origin").expect(200)["state"], "cancelled");
}
