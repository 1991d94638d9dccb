//! Says where the page's files are: `frontend/dist`, or a placeholder where it is not built.

use std::path::PathBuf;

const PLACEHOLDER: &str = "<!doctype html>
<html lang=\"en\">
<title>EagleEye</title>
<h1>EagleEye</h1>
<p>The server is up. Its page was not built before it: run <code>cargo xtask build</code>, which builds both.</p>
<p>The REST API is described at <a href=\"/docs/\">/docs</a>.</p>
</html>
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manifest = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let built = manifest.join("../../frontend/dist");
    // A path that does not exist yet makes cargo ask each time, so that a page built later is noticed.
    println!("cargo:rerun-if-changed={}", built.join("index.html").display());
    let page = match built.canonicalize() {
        Ok(folder) if folder.join("index.html").is_file() => folder,
        _ => {
            let folder = PathBuf::from(std::env::var("OUT_DIR")?).join("page");
            std::fs::create_dir_all(&folder)?;
            std::fs::write(folder.join("index.html"), PLACEHOLDER)?;
            folder
        }
    };
    println!("cargo:rustc-env=EAGLEEYE_PAGE={}", page.display());
    Ok(())
}
