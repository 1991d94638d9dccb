//! Files that are no ONNX Runtime. A process can load one library, so all of it is one test with a process of its own.

// The lint knows test functions only, not what they call.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use eagleeye_latency::{LatencyError, OnnxRuntime};

/// A shared library of this C source.
fn library(folder: &Path, name: &str, source: &str) -> PathBuf {
    let (file, library) = (folder.join(name).with_extension("c"), folder.join(name).with_extension("so"));
    std::fs::write(&file, source).unwrap();
    let output = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

/// What ONNX Runtime exports, of this version and with nothing in it.
fn empty(version: &str) -> String {
    format!(
        "static const void *api(unsigned v) {{ (void)v; return 0; }}
         static const char *version(void) {{ return \"{version}\"; }}
         static const struct {{ const void *(*api)(unsigned); const char *(*version)(void); }} base = {{ api, version }};
         const void *OrtGetApiBase(void) {{ return &base; }}"
    )
}

fn refusal(path: &Path) -> String {
    let error = OnnxRuntime::open(path).unwrap_err();
    assert!(matches!(&error, LatencyError::Library { path: named, .. } if named == path), "{error}");
    let says = error.to_string();
    assert!(says.contains("cargo xtask setup"), "{says}");
    says
}

#[test]
fn whatever_lies_in_its_place_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();

    let text = folder.join("libonnxruntime.so");
    std::fs::write(&text, "no library").unwrap();
    refusal(&text);
    refusal(&folder.join("absent.so"));
    assert!(refusal(&folder).contains("it is no file"));
    // Opening a pipe for reading waits until somebody writes.
    let pipe = folder.join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(refusal(&pipe).contains("it is no file"));

    let other = library(&folder, "other", "int nothing(void) { return 0; }");
    assert!(refusal(&other).contains("OrtGetApiBase"));
    refusal(&library(&folder, "null", "void *OrtGetApiBase(void) { return 0; }"));
    assert!(refusal(&library(&folder, "old", &empty("1.9.0"))).contains("1.9.0"));

    // This one says that it is new enough and stays loaded; it is refused each time, and so is any other after it.
    let hollow = library(&folder, "hollow", &empty("1.99.0"));
    refusal(&hollow);
    refusal(&hollow);
    let error = OnnxRuntime::find().unwrap_err();
    assert!(matches!(&error, LatencyError::OtherLibrary { loaded, .. } if *loaded == hollow), "{error}");
}
