//! Preprocessing against torchvision's transforms on PIL's images. `tests/torchvision/make.py` has made the images and what
//! torchvision makes of them; `cargo xtask preprocessing` compares other images, and makes these anew.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use eagleeye_data::Preprocess;
use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::support::{OnDisk, zip};

/// Part of the pixels of each case that must agree, and how far they may be apart, in the range from 0 to 1 that pixels have
/// before they are normalised.
const PART: f64 = 0.99;
const TOLERANCE: f32 = 2.0 / 255.0;

#[derive(Deserialize)]
struct Case {
    image: String,
    preprocess: Preprocess,
}

/// The committed cases, or those that the environment names.
fn folder() -> PathBuf {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torchvision");
    std::env::var_os("EAGLEEYE_TORCHVISION_CASES").map_or(committed, PathBuf::from)
}

fn cases(folder: &Path) -> Vec<(Case, Vec<f32>)> {
    let cases: Vec<Case> = serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
    let mut bytes = Vec::new();
    GzDecoder::new(std::fs::File::open(folder.join("expected.bin.gz")).unwrap()).read_to_end(&mut bytes).unwrap();
    let mut values = bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value));
    let with_values = cases.into_iter().map(|case| {
        let Preprocess { channels, height, width, .. } = case.preprocess;
        let tensor = values.by_ref().take(channels * height * width).collect();
        (case, tensor)
    });
    let all = with_values.collect();
    assert_eq!(values.count(), 0, "each value belongs to a case");
    all
}

/// Our tensor of a case.
fn decoded(folder: &Path, case: &Case) -> Vec<f32> {
    let image = std::fs::read(folder.join("images").join(&case.image)).unwrap();
    OnDisk::one(&zip(&[("a/1", &image)])).open().decode(0, &case.preprocess).unwrap()
}

/// How far apart two tensors are at each value, before they are normalised.
fn distances(preprocess: &Preprocess, ours: &[f32], theirs: &[f32]) -> Vec<f32> {
    assert_eq!(ours.len(), theirs.len());
    let plane = preprocess.height * preprocess.width;
    let apart = |(index, (a, b)): (usize, (&f32, &f32))| (a - b).abs() * preprocess.deviation[index / plane];
    ours.iter().zip(theirs).enumerate().map(apart).collect()
}

/// Values that agree, and all.
#[derive(Default)]
struct Count {
    close: usize,
    all: usize,
}

impl Count {
    fn add(&mut self, apart: &[f32]) {
        // A little more than the tolerance, since the values were normalised in between.
        self.close += apart.iter().filter(|&&distance| distance <= TOLERANCE + 1e-5).count();
        self.all += apart.len();
    }

    fn part(&self) -> f64 {
        self.close as f64 / self.all as f64
    }
}

/// Of each file, and of each way to resize: enlarging a JPEG with a sharp filter alone brings up the last bit of its chroma.
#[test]
fn tensors_are_those_of_torchvision() {
    let folder = folder();
    let mut counts = BTreeMap::<String, Count>::new();
    for (case, theirs) in cases(&folder) {
        let apart = distances(&case.preprocess, &decoded(&folder, &case), &theirs);
        let mode = serde_json::to_value(case.preprocess.resize).unwrap()["mode"].to_string();
        let resize = format!("{mode} {:?} {:?}", case.preprocess.filter, case.preprocess.order);
        for key in [case.image, resize] {
            counts.entry(key).or_default().add(&apart);
        }
    }
    assert!(counts.len() > 30, "there is a file of each kind, and each filter with each mode");
    for (key, count) in counts {
        println!("{key}: {:.3}% of {} values", 100.0 * count.part(), count.all);
        assert!(count.part() >= PART, "{key}: {:.2}% of the values agree", 100.0 * count.part());
    }
}
