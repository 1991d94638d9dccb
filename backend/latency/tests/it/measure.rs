//! Needs ONNX Runtime, which `cargo xtask setup` fetches; without it these tests fail with the sentence that says so.

use std::cell::Cell;

use eagleeye_latency::{LatencyError, OnnxRuntime};
use eagleeye_spec::{Runtime, Turns};

use crate::model::{Form, write};

fn runtime() -> OnnxRuntime {
    OnnxRuntime::find().unwrap_or_else(|error| panic!("{error}"))
}

fn turns() -> Turns {
    Turns { warm_up: 2, runs: 15, seconds: 60.0 }
}

#[test]
fn a_larger_network_is_slower_than_a_smaller_one() {
    let folder = tempfile::tempdir().unwrap();
    let large = write(folder.path(), "large.onnx", 16, 256, Form::Sound);
    let small = write(folder.path(), "small.onnx", 2, 256, Form::Sound);
    for threads in [1, 2] {
        let files = [large.clone(), small.clone(), large.clone()];
        let found = runtime().measure(&files, &[8, 256], threads, &turns(), &|| false).unwrap();
        assert_eq!(found.len(), 3);
        for latency in &found {
            assert_eq!((latency.runtime, latency.device.as_str()), (Runtime::Onnxruntime, "cpu"));
            assert_eq!((latency.threads, latency.batch_size, latency.runs), (threads, 8, 15));
            assert!(latency.milliseconds > 0.0, "{latency:?}");
            assert_eq!(latency.full_milliseconds, found[0].milliseconds);
        }
        assert_eq!(found[0].speedup(), 1.0);
        assert!(found[1].speedup() > 2.0, "an eighth of the work: {found:?}");
        assert!(found[2].speedup() > 0.4 && found[2].speedup() < 2.5, "the same work: {found:?}");
    }
}

#[test]
fn a_cancel_ends_it_while_it_loads_and_between_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "net.onnx", 1, 16, Form::Sound);
    for last in [0, 1, 20] {
        let asked = Cell::new(0);
        let cancelled = || {
            asked.set(asked.get() + 1);
            asked.get() > last
        };
        let found = runtime().measure(std::slice::from_ref(&file), &[1, 16], 1, &turns(), &cancelled);
        assert_eq!(found, Err(LatencyError::Cancelled));
        assert_eq!(asked.get(), last + 1, "nothing is asked or run after it");
    }
}

#[test]
fn a_file_that_cannot_be_measured_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let good = write(folder.path(), "good.onnx", 1, 16, Form::Sound);
    let measure = |path: &std::path::Path, shape: &[usize]| {
        let files = [good.clone(), path.to_owned()];
        runtime().measure(&files, shape, 1, &turns(), &|| false).unwrap_err()
    };
    let broken = folder.path().join("broken.onnx");
    std::fs::write(&broken, "no network").unwrap();
    let error = measure(&broken, &[1, 16]);
    assert!(matches!(&error, LatencyError::Network { path, .. } if *path == broken), "{error}");
    let error = measure(&folder.path().join("absent.onnx"), &[1, 16]);
    assert!(matches!(&error, LatencyError::Network { path, .. } if path.ends_with("absent.onnx")), "{error}");
    let two = write(folder.path(), "two.onnx", 1, 16, Form::TwoInputs);
    assert_eq!(measure(&two, &[1, 16]), LatencyError::Inputs { path: two, found: 2 });
    let whole = write(folder.path(), "whole.onnx", 1, 16, Form::WholeNumbers);
    let error = measure(&whole, &[1, 16]);
    assert!(matches!(&error, LatencyError::InputType { name, .. } if name == "x"), "{error}");
    let other = write(folder.path(), "other.onnx", 1, 8, Form::Sound);
    let error = measure(&other, &[1, 16]);
    assert!(matches!(&error, LatencyError::Run { path, reason } if *path == other && reason.contains("16")), "{error}");
}
