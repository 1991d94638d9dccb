//! libtorch of a Python that has PyTorch already: linked into `.libtorch`, where the build and programs look for it, instead
//! of gigabytes that are fetched a second time.
//!
//! `lib` and `include` are links to the folders of the package, and have to be: torch's libraries look for NVIDIA's in
//! `$ORIGIN/../../nvidia`, where `$ORIGIN` is the folder by whose name a library was opened. Through a link to that folder the
//! way up ends beside the package, but beside the link where each library has a link of its own.

mod found;
mod version;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};

use self::found::Torch;
use self::version::{Fit, Wanted, release};
use crate::libtorch;
use crate::project::{cargo, run, say};

/// Says in `.libtorch` which interpreter's torch it is.
const RECORD: &str = "torch-of.json";

/// Makes `home` of the torch that an interpreter has, a path or a name on the search path.
pub fn link(home: &Path, python: &Path) -> Result<()> {
    let before = libtorch::version(home).or_else(|| recorded(home).ok().flatten().map(|torch| torch.version));
    let torch = make_links(home, python)?;
    if before.is_some_and(|before| release(&before) != release(&torch.version)) {
        // torch-sys does not notice that its headers have changed.
        run(cargo().args(["clean", "--quiet", "--package", "torch-sys"]))?;
        run(cargo().args(["clean", "--quiet", "--release", "--package", "torch-sys"]))?;
    }
    let missing = torch.not_found()?;
    if !missing.is_empty() {
        let missing = missing.join(", ");
        say("setup", format!("torch needs {missing}: LD_LIBRARY_PATH must name the folder where the worker runs"));
    }
    Ok(())
}

fn make_links(home: &Path, python: &Path) -> Result<Torch> {
    let wanted = Wanted::of_tree()?;
    let torch = Torch::of(python).with_context(|| {
        let install = wanted.install(&python.display().to_string());
        format!("--torch-of takes a Python interpreter that has torch {} ({install})", wanted.torch)
    })?;
    let name = torch.python.display().to_string();
    check(&torch, &wanted).with_context(|| format!("cannot build against the torch of {name}"))?;
    if recorded(home).is_ok_and(|found| found.as_ref() == Some(&torch)) && is_linked(home, &torch) {
        say("setup", format!("{} of {name} is in place", torch.describe()));
        return Ok(torch);
    }
    if fs::symlink_metadata(home).is_ok() {
        // Of a link, the link is removed and not what it leads to.
        fs::remove_dir_all(home).with_context(|| format!("cannot remove the old {}", home.display()))?;
    }
    fs::create_dir_all(home).with_context(|| format!("cannot make {}", home.display()))?;
    for (folder, link) in [(torch.lib(), home.join("lib")), (torch.include(), home.join("include"))] {
        symlink(&folder, &link).with_context(|| format!("cannot link {}", link.display()))?;
    }
    let record = home.join(RECORD);
    fs::write(&record, serde_json::to_string_pretty(&torch)?)
        .with_context(|| format!("cannot write {}", record.display()))?;
    say("setup", format!("{} of {name} is linked into {}", torch.describe(), home.display()));
    Ok(torch)
}

/// Whether the engine can be built against it.
///
/// tch has a check of its own, of a file `build-version` that `.libtorch` does not have; so this is the only one, and
/// `LIBTORCH_BYPASS_VERSION_CHECK` need not be set for another patch release.
fn check(torch: &Torch, wanted: &Wanted) -> Result<()> {
    if wanted.judge(&torch.version, &torch.python.display().to_string())? == Fit::Patch {
        say(
            "setup",
            format!("torch {} is a patch release beside {}, which is what is tested", torch.version, wanted.torch),
        );
    }
    torch.check()
}

/// Whether `home` has the torch of an interpreter. One that was upgraded or removed since is asked anew, which fails where
/// nothing can be built against it.
pub fn is_in_place(home: &Path) -> Result<bool> {
    let Some(torch) = recorded(home)? else { return Ok(false) };
    let name = torch.python.display();
    if is_whole(home, &torch, &Wanted::of_tree()?) {
        say(
            "setup",
            format!("{} of {name} is in place; without {}, libtorch is fetched", torch.describe(), home.display()),
        );
        return Ok(true);
    }
    say(
        "setup",
        format!("{} is no longer what {name} has, or no longer what is wanted: asking again", torch.describe()),
    );
    link(home, &torch.python).with_context(|| {
        format!(
            "`cargo xtask setup --torch-of PYTHON` takes another interpreter's torch; without {}, `cargo xtask setup` fetches \
             libtorch",
            home.display()
        )
    })?;
    Ok(true)
}

/// Whether all is as it was when it was linked, and is what this working tree wants.
fn is_whole(home: &Path, torch: &Torch, wanted: &Wanted) -> bool {
    torch.is_there() && is_linked(home, torch) && check(torch, wanted).is_ok()
}

/// What `home` says of the torch that it links to, if it links to one.
fn recorded(home: &Path) -> Result<Option<Torch>> {
    let record = home.join(RECORD);
    if !record.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&record).with_context(|| format!("cannot read {}", record.display()))?;
    let torch = serde_json::from_str(&text).with_context(|| {
        format!("{} is damaged; `cargo xtask setup --torch-of PYTHON` writes it anew", record.display())
    })?;
    Ok(Some(torch))
}

fn is_linked(home: &Path, torch: &Torch) -> bool {
    let leads_to = |link: &str, folder: &Path| fs::read_link(home.join(link)).is_ok_and(|target| target == folder);
    leads_to("lib", &torch.lib()) && leads_to("include", &torch.include())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::process::Command;

    use super::found::tests::{installed, write};
    use super::*;

    /// A program. Another process writes it: what this one has open for writing, a process that another test starts may have
    /// as well, and the kernel starts no such program.
    fn program(folder: &Path, script: &str) -> PathBuf {
        let (text, python) = (folder.join("text"), folder.join("python"));
        write(&text, &format!("#!/bin/sh\n{script}\n"));
        let made = Command::new("install").args(["-m", "755"]).args([&text, &python]).status().unwrap();
        assert!(made.success());
        python
    }

    /// An interpreter that prints this and ends as told.
    fn interpreter(folder: &Path, printed: &str, status: i32) -> PathBuf {
        program(
            folder,
            &format!("echo 'a greeting'\ncat <<'END'\n{printed}\nEND\necho 'the reason' >&2\nexit {status}"),
        )
    }

    fn of(torch: &Torch, folder: &Path) -> PathBuf {
        interpreter(folder, &serde_json::to_string(torch).unwrap(), 0)
    }

    #[test]
    fn an_interpreters_torch_is_linked_and_found_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let torch = installed(folder.path(), "2.13.0+cu130", Some("13.0"));
        let python = of(&torch, folder.path());
        assert_eq!(make_links(&home, &python).unwrap(), torch);
        assert!(home.join("lib/libtorch_cuda.so").is_file());
        assert!(home.join("include/ATen/ATen.h").is_file());
        assert!(is_in_place(&home).unwrap());
        // Links that are made anew would have everything built anew.
        let made = |link: &str| fs::symlink_metadata(home.join(link)).unwrap().modified().unwrap();
        let before = made("lib");
        make_links(&home, &python).unwrap();
        assert_eq!(made("lib"), before);
    }

    #[test]
    fn what_was_linked_before_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (home, other) = (folder.path().join("home"), folder.path().join("other"));
        let first = installed(folder.path(), "2.13.0", None);
        make_links(&home, &of(&first, folder.path())).unwrap();
        let second = installed(&other, "2.13.1", None);
        make_links(&home, &of(&second, &other)).unwrap();
        assert!(first.is_there());
        assert!(is_linked(&home, &second));
    }

    #[test]
    fn an_upgrade_is_noticed_and_linked_anew() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let before = installed(folder.path(), "2.13.0", None);
        make_links(&home, &of(&before, folder.path())).unwrap();
        let wanted = Wanted::of_tree().unwrap();
        assert!(is_whole(&home, &before, &wanted));
        let after = installed(folder.path(), "2.13.1", None);
        let python = of(&after, folder.path());
        assert!(!is_whole(&home, &before, &wanted));
        make_links(&home, &python).unwrap();
        let recorded = recorded(&home).unwrap().unwrap();
        assert_eq!(recorded, after);
        assert!(is_whole(&home, &recorded, &wanted));
    }

    #[test]
    fn an_empty_home_has_no_interpreters_torch() {
        let home = tempfile::tempdir().unwrap();
        assert!(!is_in_place(home.path()).unwrap());
    }

    #[test]
    fn an_interpreter_that_is_gone_with_its_torch_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let torch = installed(folder.path(), "2.13.0", None);
        make_links(&home, &of(&torch, folder.path())).unwrap();
        fs::remove_file(&torch.python).unwrap();
        fs::remove_dir_all(&torch.folder).unwrap();
        let message = format!("{:#}", is_in_place(&home).unwrap_err());
        assert!(message.contains("takes another interpreter's torch"), "{message}");
        assert!(message.contains(&format!("cannot start {}", torch.python.display())), "{message}");
    }

    #[test]
    fn a_torch_of_another_version_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let torch = installed(folder.path(), "2.12.0", None);
        let message = format!("{:#}", make_links(&home, &of(&torch, folder.path())).unwrap_err());
        assert!(message.contains("torch==2.13.0"), "{message}");
        assert!(!home.exists());
    }

    #[test]
    fn an_interpreter_without_torch_gives_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let python = interpreter(folder.path(), "", 1);
        let message = format!("{:#}", make_links(&folder.path().join("home"), &python).unwrap_err());
        assert!(message.contains("-m pip install torch==2.13.0"), "{message}");
        assert!(message.ends_with("cannot import torch: the reason"), "{message}");
    }

    /// The question as a real interpreter understands it, to a torch that says as little as is asked.
    #[test]
    fn the_question_is_answered_by_python() {
        let folder = tempfile::tempdir().unwrap();
        let text =
            "class version: cuda = None\n__version__ = '2.13.0+cpu'\ndef compiled_with_cxx11_abi(): return True\n";
        write(&folder.path().join("torch/__init__.py"), text);
        let script = format!("PYTHONPATH={} exec python3 \"$@\"", folder.path().display());
        let python = program(folder.path(), &script);
        let torch = Torch::of(&python).unwrap();
        assert_eq!((torch.version.as_str(), torch.cuda), ("2.13.0+cpu", None));
        assert_eq!(torch.folder, folder.path().join("torch"));
    }
}
