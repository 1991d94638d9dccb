//! What the programs are linked with. No GPU is needed to tell.

use std::path::Path;
use std::process::Command;

#[path = "../../../torchscript/build/link.rs"]
mod link;

/// The libraries that a program names as needed.
fn needed(program: &Path) -> Vec<String> {
    let output = Command::new("readelf").arg("--dynamic").arg("--wide").arg(program).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let libraries = text.lines().filter(|line| line.contains("(NEEDED)"));
    libraries.filter_map(|line| Some(line.split_once('[')?.1.trim_end_matches(']').to_owned())).collect()
}

fn compile(arguments: &[&str], output: &Path) {
    let result = Command::new("cc").args(arguments).arg("-o").arg(output).output().unwrap();
    assert!(result.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&result.stderr));
}

/// A folder like libtorch's `lib`, with a stand-in for the CUDA library that needs a library which is not there.
fn folder_with_cuda() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("cuda.c");
    std::fs::write(&source, "extern int of_cublas(void); int of_torch_cuda(void) { return of_cublas(); }").unwrap();
    let library = folder.path().join(link::CUDA_LIBRARY);
    compile(&["-shared", "-fPIC", "-Wl,-soname,libtorch_cuda.so", source.to_str().unwrap()], &library);
    folder
}

fn program_linked_like_ours(lib: &Path) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("main.c"), folder.path().join("program"));
    std::fs::write(&source, "int main(void) { return 0; }").unwrap();
    let arguments = link::arguments(lib);
    let mut all = vec!["-Wl,--as-needed", source.to_str().unwrap()];
    all.extend(arguments.iter().map(String::as_str));
    compile(&all, &program);
    needed(&program)
}

#[test]
fn a_program_linked_where_libtorch_cuda_is_needs_it_although_it_names_no_symbol_of_it() {
    let libraries = program_linked_like_ours(folder_with_cuda().path());
    assert!(libraries.iter().any(|l| l == link::CUDA_LIBRARY), "{libraries:?}");
}

#[test]
fn a_program_linked_without_libtorch_cuda_does_not_need_it() {
    let empty = tempfile::tempdir().unwrap();
    let libraries = program_linked_like_ours(empty.path());
    assert!(!libraries.iter().any(|l| l == link::CUDA_LIBRARY), "{libraries:?}");
}

#[test]
fn where_the_folder_of_libraries_is_a_link_programs_name_what_it_leads_to() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let (lib, link) = (root.join("torch"), root.join("lib"));
    std::fs::create_dir(&lib).unwrap();
    std::os::unix::fs::symlink(&lib, &link).unwrap();
    assert_eq!(link::arguments(&link), [format!("-Wl,-rpath,{}", lib.display())]);
}

#[test]
fn the_worker_needs_libtorch_cuda_exactly_where_its_libtorch_has_it() {
    let has = Path::new(env!("EAGLEEYE_LIBTORCH")).join("lib").join(link::CUDA_LIBRARY).exists();
    let libraries = needed(Path::new(env!("CARGO_BIN_EXE_eagleeye-worker")));
    assert!(libraries.iter().any(|l| l == "libtorch_cpu.so"), "{libraries:?}");
    assert_eq!(libraries.iter().any(|l| l == link::CUDA_LIBRARY), has, "{libraries:?}");
}
