//! Prepares the page for embedding: `frontend/dist`, or a placeholder where it is not built, with each text also
//! compressed. Done here once, it can be done as well as the formats allow, and costs a running server nothing.

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};

use brotli::enc::BrotliEncoderParams;
use flate2::{Compression, GzBuilder};

const PLACEHOLDER: &str = "<!doctype html>
<html lang=\"en\">
<title>EagleEye</title>
<h1>EagleEye</h1>
<p>The server is up. Its page was not built before it: run <code>cargo xtask build</code>, which builds both.</p>
<p>The REST API is described at <a href=\"/docs/\">/docs</a>.</p>
</html>
";

/// What the page offers to somebody who has nothing to prune yet: a network and images to search it with.
const SAMPLE: [&str; 3] =
    ["mobilenet_v1.pt", "fashion-mnist-images-idx3-ubyte.gz", "fashion-mnist-labels-idx1-ubyte.gz"];

/// Endings of files that compress; pictures and fonts are compressed already.
const TEXTS: [&str; 6] = ["html", "js", "css", "json", "svg", "txt"];
/// Of a smaller file, nothing is won.
const SMALLEST: usize = 128;

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let built = manifest.join("../../frontend/dist");
    // A path that does not exist yet makes cargo ask each time, so that a page built later is noticed.
    println!("cargo:rerun-if-changed={}", built.join("index.html").display());
    println!("cargo:rerun-if-changed=build.rs");

    let page = PathBuf::from(std::env::var("OUT_DIR")?).join("page");
    if page.exists() {
        std::fs::remove_dir_all(&page)?;
    }
    std::fs::create_dir_all(&page)?;
    if built.join("index.html").is_file() {
        copy_folder(&built, &page)?;
    } else {
        put(&page.join("index.html"), PLACEHOLDER.as_bytes())?;
    }
    for name in SAMPLE {
        let file = manifest.join("../../examples").join(name);
        println!("cargo:rerun-if-changed={}", file.display());
        std::fs::create_dir_all(page.join("sample"))?;
        std::fs::copy(&file, page.join("sample").join(name))?;
    }
    println!("cargo:rustc-env=EAGLEEYE_PAGE={}", page.display());
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            put(&target, &std::fs::read(entry.path())?)?;
        }
    }
    Ok(())
}

/// Writes a file, and beside it what it compresses to.
fn put(path: &Path, content: &[u8]) -> Result<(), Box<dyn Error>> {
    std::fs::write(path, content)?;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if !TEXTS.contains(&ending) || content.len() < SMALLEST {
        return Ok(());
    }
    let mut brotli = Vec::new();
    let parameters = BrotliEncoderParams { quality: 11, size_hint: content.len(), ..Default::default() };
    brotli::BrotliCompress(&mut &content[..], &mut brotli, &parameters)?;
    // Without a time, the same page gives the same bytes.
    let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    gzip.write_all(content)?;
    for (suffix, compressed) in [("br", brotli), ("gz", gzip.finish()?)] {
        std::fs::write(path.with_extension(format!("{ending}.{suffix}")), compressed)?;
    }
    Ok(())
}
