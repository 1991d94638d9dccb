//! Uploads in parts, by the tus protocol, and what becomes of them.

use reqwest::blocking::multipart::Form;

use crate::answer::{Answer, id};
use crate::server::{Server, assert_nothing_left, fake};

fn call(server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &'static [u8]) -> Answer {
    server.call(method, path, |mut request| {
        for (name, value) in headers.iter().chain(&[("tus-resumable", "1.0.0")]) {
            request = request.header(*name, *value);
        }
        if body.is_empty() { request } else { request.body(body) }
    })
}

/// Begins an upload of a file; its address below the API's.
fn begin(server: &Server, length: &str, name: &str) -> String {
    let begun = call(server, "POST", "/uploads", &[("upload-length", length), ("upload-metadata", name)], b"");
    begun.expect(201);
    begun.header("location").strip_prefix("/api/v1").unwrap().to_owned()
}

const PATCH: (&str, &str) = ("content-type", "application/offset+octet-stream");

#[test]
fn a_file_in_parts_becomes_a_model_like_any_other() {
    let (data, server) = fake();
    // `network.pt`
    let upload = begin(&server, "11", "filename bmV0d29yay5wdA==");
    let sent = call(&server, "PATCH", &upload, &[PATCH, ("upload-offset", "0")], b"good");
    sent.expect(204);
    assert_eq!(sent.header("upload-offset"), "4");
    call(&server, "PATCH", &upload, &[PATCH, ("upload-offset", "2")], b"xx").problem(409, "conflict", &["4 bytes"]);
    let number = upload.rsplit('/').next().unwrap().to_owned();
    let form = |id: &str| Form::new().text("file_upload", id.to_owned());
    server.upload("/models", form(&number)).problem(409, "conflict", &["4 of 11"]);
    call(&server, "PATCH", &upload, &[PATCH, ("upload-offset", "4")], b" weights").problem(413, "too-large", &["11"]);
    call(&server, "PATCH", &upload, &[PATCH, ("upload-offset", "4")], b" model.").expect(204);
    let told = call(&server, "HEAD", &upload, &[], b"");
    assert_eq!((told.header("upload-metadata"), told.header("tus-resumable")), ("filename bmV0d29yay5wdA==", "1.0.0"));
    assert_eq!((told.header("upload-offset"), told.header("upload-length")), ("11", "11"));

    let model = server.upload("/models", form(&number)).expect(201);
    assert_eq!((&model["name"], &model["bytes"]), (&"network".into(), &11.into()));
    call(&server, "HEAD", &upload, &[], b"").expect(404);
    server.upload("/models", form(&number)).problem(422, "invalid-field", &["file_upload", "begin it again"]);
    server.upload("/models", form("x")).problem(422, "invalid-field", &["file_upload"]);
    server.delete(&format!("/models/{}", id(&model))).expect(204);
    assert_nothing_left(&server, data.path());
}

#[test]
fn a_file_that_is_refused_need_not_be_sent_again_and_can_be_given_up() {
    let (data, server) = fake();
    let upload = begin(&server, "3", "filename YS5wdA==");
    call(&server, "PATCH", &upload, &[PATCH, ("upload-offset", "0")], b"bad").expect(204);
    let number = upload.rsplit('/').next().unwrap().to_owned();
    for _ in 0..2 {
        server.upload("/models", Form::new().text("file_upload", number.clone())).expect(422);
    }
    call(&server, "DELETE", &upload, &[], b"").expect(204);
    call(&server, "DELETE", &upload, &[], b"").problem(404, "not-found", &[]);
    assert_nothing_left(&server, data.path());
}

#[test]
fn what_an_upload_must_say_is_said() {
    let (_data, server) = fake();
    call(&server, "POST", "/uploads", &[], b"").problem(400, "bad-request", &["upload-length"]);
    call(&server, "POST", "/uploads", &[("upload-length", "99999999999999")], b"").problem(
        413,
        "too-large",
        &["limit"],
    );
    let version = server.call("POST", "/uploads", |request| request.header("upload-length", "3"));
    version.problem(412, "precondition-failed", &["1.0.0"]);
    assert_eq!((version.header("tus-version"), version.header("tus-resumable")), ("1.0.0", "1.0.0"));
    let upload = begin(&server, "3", "filename YS5wdA==");
    call(&server, "PATCH", &upload, &[("upload-offset", "0")], b"abc").problem(
        415,
        "unsupported-media-type",
        &["offset"],
    );
    let described = server.call("OPTIONS", "/uploads", |request| request);
    assert_eq!((described.header("tus-version"), described.header("tus-extension")), ("1.0.0", "creation,termination"));
}
