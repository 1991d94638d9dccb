//! Whether the licences of all dependencies allow what EagleEye does with them: it is MIT, and its programs and its page
//! contain them.

use std::fs;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use spdx::{Expression, Licensee, ParseMode};

use crate::project::{cargo, command, output, root, say};

/// Permissive licences, and MPL-2.0, whose copyleft ends at the files that carry it.
const ALLOWED: [&str; 17] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Python-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages whose description says nothing, and whose licence stands in another of their files.
const STATED_ELSEWHERE: [(&str, &str); 1] = [
    // In its Readme.md. It is a part of tus-js-client for Node, which the page has nothing of.
    ("combine-errors 3.0.3", "MIT"),
];

struct Package {
    name: String,
    /// An SPDX expression, or the older form with `/` for "or".
    licence: Option<String>,
}

pub fn run() -> Result<()> {
    let packages: Vec<Package> = crates()?.into_iter().chain(npm_packages()?).collect();
    let faults = faults(&packages)?;
    if !faults.is_empty() {
        bail!("licences that are not on the list in xtask/src/licences.rs:\n  {}", faults.join("\n  "));
    }
    say("licences", format!("{} packages, all under licences that are allowed", packages.len()));
    Ok(())
}

/// What may be linked into the programs on this platform, and what builds and tests them. Other platforms' packages
/// would have to be downloaded first.
fn crates() -> Result<Vec<Package>> {
    let version = output(command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc -vV names no host")?;
    let arguments = ["metadata", "--format-version", "1", "--locked", "--all-features", "--filter-platform", host];
    let metadata = output(cargo().args(arguments))?;
    let metadata: Value = serde_json::from_str(&metadata).context("cargo metadata did not print JSON")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    Ok(packages.iter().map(|package| Package::of(&package["name"], package)).collect())
}

/// Everything in the lock file, other platforms' packages included.
fn npm_packages() -> Result<Vec<Package>> {
    let path = root().join("frontend/package-lock.json");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let lock: Value = serde_json::from_str(&text).context("frontend/package-lock.json is not JSON")?;
    let packages = lock["packages"].as_object().context("frontend/package-lock.json lists no packages")?;
    Ok(packages.iter().map(|(path, package)| Package::of(&Value::from(path.as_str()), package)).collect())
}

impl Package {
    fn of(name: &Value, description: &Value) -> Self {
        let named = format!(
            "{} {}",
            name.as_str().unwrap_or_default().trim_start_matches("node_modules/"),
            description["version"].as_str().unwrap_or_default()
        );
        let elsewhere = || STATED_ELSEWHERE.iter().find(|(package, _)| *package == named).map(|(_, licence)| *licence);
        let licence = description["license"].as_str().or_else(elsewhere).map(str::to_owned);
        Self { name: named, licence }
    }
}

fn faults(packages: &[Package]) -> Result<Vec<String>> {
    let allowed: Vec<Licensee> = ALLOWED
        .iter()
        .map(|licence| Licensee::parse(licence).map_err(|error| anyhow!("`{licence}` in the list: {error}")))
        .collect::<Result<_>>()?;
    Ok(packages.iter().filter_map(|package| fault(package, &allowed)).collect())
}

fn fault(package: &Package, allowed: &[Licensee]) -> Option<String> {
    let Some(licence) = &package.licence else {
        return Some(format!("{} does not state a licence", package.name));
    };
    let Ok(expression) = Expression::parse_mode(licence, ParseMode::LAX) else {
        return Some(format!("{}: `{licence}` is not an SPDX expression", package.name));
    };
    let is_allowed = expression.evaluate(|required| allowed.iter().any(|licensee| licensee.satisfies(required)));
    (!is_allowed).then(|| format!("{}: {licence}", package.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(licence: Option<&str>) -> Vec<String> {
        faults(&[Package { name: "cat 1.0.0".to_owned(), licence: licence.map(str::to_owned) }]).unwrap()
    }

    #[test]
    fn one_allowed_alternative_is_enough_and_all_parts_must_be_allowed() {
        for allowed in ["MIT", "MIT/Apache-2.0", "GPL-3.0-only OR MIT", "(Apache-2.0 OR ISC) AND BSD-3-Clause"] {
            assert_eq!(faults_of(Some(allowed)), Vec::<String>::new(), "{allowed}");
        }
        assert_eq!(faults_of(Some("MIT AND GPL-3.0-only")), ["cat 1.0.0: MIT AND GPL-3.0-only"]);
        assert_eq!(faults_of(Some("AGPL-3.0-or-later")), ["cat 1.0.0: AGPL-3.0-or-later"]);
    }

    #[test]
    fn a_package_without_a_licence_that_can_be_read_is_named() {
        assert_eq!(faults_of(None), ["cat 1.0.0 does not state a licence"]);
        assert_eq!(faults_of(Some("see LICENSE.txt")), ["cat 1.0.0: `see LICENSE.txt` is not an SPDX expression"]);
    }

    #[test]
    fn every_package_of_the_page_is_looked_at() {
        let packages = npm_packages().unwrap();
        assert!(packages.iter().any(|package| package.name.starts_with("d3-scale ")));
        assert_eq!(faults(&packages).unwrap(), Vec::<String>::new());
    }
}
