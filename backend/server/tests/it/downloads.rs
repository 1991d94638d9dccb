//! Files that are downloaded: whole, in part, or not again.

use crate::answer::{Answer, id};
use crate::server::{Server, fake, file};

/// Of `good 0123456789`, as RFC 9530 has it and as `sha256sum` prints it.
const DIGEST: &str = "sha-256=:+fMQQ6PU04FPsNRJmpEwprZhYKCOXbjG7ZoJN/urdrY=:";
const SHA256: &str = "f9f31043a3d4d3814fb0d4499a9130a6b66160a08e5db8c6ed9a0937fbab76b6";

fn ask(server: &Server, path: &str, name: &'static str, value: &str) -> Answer {
    server.call("GET", path, |request| request.header(name, value))
}

fn uploaded(server: &Server) -> String {
    let model = server.upload("/models", file("file", "naïve \"net\".pt", "good 0123456789")).expect(201);
    assert_eq!(model["sha256"], SHA256);
    format!("/models/{}/file", id(&model))
}

#[test]
fn a_file_comes_with_what_a_client_needs_to_keep_it() {
    let (_data, server) = fake();
    let answer = server.get(&uploaded(&server));
    assert_eq!((answer.status, answer.text()), (200, "good 0123456789".to_owned()));
    assert_eq!(answer.header("content-length"), "15");
    assert_eq!(answer.header("etag"), format!("\"{}\"", blake3::hash(&answer.body).to_hex()));
    assert_eq!(answer.header("repr-digest"), DIGEST);
    assert!(answer.header("cache-control").contains("immutable"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let disposition = answer.header("content-disposition");
    assert!(disposition.starts_with("attachment; filename=\"na"), "{disposition}");
    assert!(disposition.contains("filename*=UTF-8''na%C3%AFve"), "{disposition}");
}

#[test]
fn a_file_that_a_client_has_is_not_sent_again() {
    let (_data, server) = fake();
    let path = uploaded(&server);
    let etag = server.get(&path).header("etag").to_owned();
    let again = ask(&server, &path, "if-none-match", &etag);
    assert_eq!((again.status, again.body.len(), again.header("etag")), (304, 0, etag.as_str()));
    assert_eq!(ask(&server, &path, "if-none-match", "\"other\"").status, 200);
    for known in [format!("\"other\", {etag}"), format!("W/{etag}"), "*".to_owned()] {
        assert_eq!(ask(&server, &path, "if-none-match", &known).status, 304, "{known}");
    }
    assert_eq!(ask(&server, &path, "if-match", &etag).status, 200);
    ask(&server, &path, "if-match", "\"other\"").problem(412, "precondition-failed", &[&etag]);
}

#[test]
fn a_download_that_broke_off_goes_on_where_it_ended() {
    let (_data, server) = fake();
    let path = uploaded(&server);
    for (range, part, content_range) in [
        ("bytes=5-9", "01234", "bytes 5-9/15"),
        ("bytes=10-", "56789", "bytes 10-14/15"),
        ("bytes=-2", "89", "bytes 13-14/15"),
    ] {
        let answer = ask(&server, &path, "range", range);
        assert_eq!((answer.status, answer.text().as_str()), (206, part));
        assert_eq!(answer.header("content-range"), content_range);
        assert_eq!(answer.header("repr-digest"), DIGEST, "of the whole file, whatever part is sent");
    }
    let beyond = ask(&server, &path, "range", "bytes=15-");
    beyond.problem(416, "range-not-satisfiable", &["15 bytes"]);
    assert_eq!(beyond.header("content-range"), "bytes */15");
    assert_eq!(ask(&server, &path, "range", "lines=1-2").status, 200, "an unknown unit is ignored");

    let resume = |etag: &str| {
        let etag = etag.to_owned();
        server.call("GET", &path, |request| request.header("range", "bytes=10-").header("if-range", etag))
    };
    assert_eq!(resume("\"another version\"").status, 200, "a range of another version is no use");
    let etag = server.get(&path).header("etag").to_owned();
    assert_eq!(resume(&etag).status, 206);
}
