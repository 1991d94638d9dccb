//! What was refused does not keep the right library out. A process of its own, since one library stays loaded.

use eagleeye_latency::OnnxRuntime;

#[test]
fn the_right_library_is_loaded_after_one_that_was_refused() {
    let text = tempfile::NamedTempFile::new().unwrap();
    assert!(OnnxRuntime::open(text.path()).is_err());
    let right = OnnxRuntime::find();
    assert!(right.is_ok(), "{}", right.unwrap_err());
    assert!(OnnxRuntime::open(text.path()).is_err());
    assert!(OnnxRuntime::find().is_ok());
}
