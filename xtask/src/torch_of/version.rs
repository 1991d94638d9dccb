//! Which versions of torch the engine can be built against.
//!
//! Each version of the crate `tch` has bindings made for one version of torch. Between minor versions operators gain and lose
//! arguments, so that these bindings would not compile; patch releases leave them as they are.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::project::root;

/// Which torch each version of tch is made for; its build script says so.
const MADE_FOR: [(&str, &str); 2] = [("0.26", "2.13.0"), ("0.24", "2.11.0")];

/// The tch that this working tree is built with, and the torch that it is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    tch: String,
    pub torch: &'static str,
}

/// How an accepted version agrees with the one that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    Exact,
    /// Another patch release of the same minor version.
    Patch,
}

impl Wanted {
    /// As `Cargo.lock` says.
    pub fn of_tree() -> Result<Self> {
        let path = root().join("Cargo.lock");
        let lock = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::of_lock(&lock).with_context(|| format!("cannot tell from {} which torch is wanted", path.display()))
    }

    fn of_lock(lock: &str) -> Result<Self> {
        let lock: toml::Table = toml::from_str(lock)?;
        let packages = lock.get("package").and_then(toml::Value::as_array).context("it lists no packages")?;
        let tch = packages.iter().find(|p| p.get("name").and_then(toml::Value::as_str) == Some("tch"));
        let version = tch.and_then(|p| p.get("version")).and_then(toml::Value::as_str).context("it has no tch")?;
        let made_for = MADE_FOR.iter().find(|(tch, _)| minor(version) == Some(tch));
        let (tch, torch) = made_for.with_context(|| {
            let known: Vec<_> = MADE_FOR.iter().map(|(tch, torch)| format!("{tch} (torch {torch})")).collect();
            format!("tch {version} is not among those that are known: {}", known.join(", "))
        })?;
        Ok(Self { tch: (*tch).to_owned(), torch })
    }

    /// The command that gives an interpreter this torch.
    pub fn install(&self, python: &str) -> String {
        format!("`{python} -m pip install torch=={}`", self.torch)
    }

    /// Whether the engine can be built against this version; an error says what to do instead.
    pub fn judge(&self, version: &str, python: &str) -> Result<Fit> {
        let Self { tch, torch } = self;
        let release = release(version);
        if release == *torch {
            return Ok(Fit::Exact);
        }
        let install = format!("{} installs it", self.install(python));
        if !is_release(release) {
            bail!(
                "torch {version} is not a release, and what it offers may differ from any; tch {tch} is made for torch {torch}: \
                 {install}"
            );
        }
        if minor(release) == minor(torch) {
            return Ok(Fit::Patch);
        }
        let other = MADE_FOR.iter().find(|(_, torch)| minor(torch) == minor(release));
        let other = other.map_or(String::new(), |(tch, _)| {
            format!(". Or build with tch {tch}, which is made for torch {version}: docs/deployment.md says how")
        });
        bail!("torch {version} does not fit, since tch {tch} is made for torch {torch}: {install}{other}")
    }
}

/// As in `2.13.0`, without what a build adds to it.
pub fn release(version: &str) -> &str {
    version.split_once('+').map_or(version, |(release, _)| release)
}

/// Whether this is three numbers, and no preview (`2.13.0a0`, `2.13.0.dev20260601`, `2.13.0rc1`).
fn is_release(version: &str) -> bool {
    let parts: Vec<_> = version.split('.').collect();
    parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok())
}

/// The first two numbers.
fn minor(version: &str) -> Option<&str> {
    let (major, rest) = version.split_once('.')?;
    let end = rest.find('.').unwrap_or(rest.len());
    version.get(..major.len() + 1 + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted { tch: "0.26".to_owned(), torch: "2.13.0" }
    }

    fn refused(version: &str) -> String {
        wanted().judge(version, "python3").unwrap_err().to_string()
    }

    #[test]
    fn the_version_that_tch_is_made_for_fits_whatever_it_was_built_with() {
        for version in ["2.13.0", "2.13.0+cu130", "2.13.0+cpu"] {
            assert_eq!(wanted().judge(version, "python3").unwrap(), Fit::Exact, "{version}");
        }
    }

    #[test]
    fn another_patch_release_fits() {
        assert_eq!(wanted().judge("2.13.1+cu130", "python3").unwrap(), Fit::Patch);
    }

    #[test]
    fn another_minor_version_is_refused_with_what_to_do() {
        assert_eq!(
            refused("2.12.0+cu129"),
            "torch 2.12.0+cu129 does not fit, since tch 0.26 is made for torch 2.13.0: \
             `python3 -m pip install torch==2.13.0` installs it"
        );
        assert!(refused("2.1.3").contains("torch==2.13.0"));
        assert!(refused("3.13.0").contains("torch==2.13.0"));
    }

    #[test]
    fn where_another_tch_is_made_for_the_version_the_refusal_names_it() {
        let message = refused("2.11.0+cu130");
        assert!(
            message
                .ends_with("Or build with tch 0.24, which is made for torch 2.11.0+cu130: docs/deployment.md says how")
        );
    }

    #[test]
    fn previews_are_refused_even_of_the_right_version() {
        for version in ["2.13.0a0+ecf3bae", "2.13.0.dev20260601+cu130", "2.13.0rc1", "2.13", ""] {
            assert!(refused(version).contains("is not a release"), "{version}");
        }
    }

    #[test]
    fn the_tch_of_the_lock_file_says_which_torch_is_wanted() {
        let lock = |version: &str| {
            format!(
                "[[package]]\nname = \"tar\"\nversion = \"0.4.1\"\n[[package]]\nname = \"tch\"\nversion = \"{version}\"\n"
            )
        };
        assert_eq!(Wanted::of_lock(&lock("0.26.0")).unwrap(), wanted());
        assert_eq!(Wanted::of_lock(&lock("0.24.1")).unwrap().torch, "2.11.0");
        let message = Wanted::of_lock(&lock("0.27.0")).unwrap_err().to_string();
        assert_eq!(message, "tch 0.27.0 is not among those that are known: 0.26 (torch 2.13.0), 0.24 (torch 2.11.0)");
    }

    #[test]
    fn the_tree_wants_the_torch_that_setup_fetches() {
        assert_eq!(Wanted::of_tree().unwrap().torch, crate::libtorch::TORCH);
    }
}
