//! The project's tasks: `cargo xtask --help` lists them.
//!
//! Setting up, the demo, everything that must hold before a change lands, and what takes longer than that (networks of other
//! libraries, benchmarks, fuzzing). `cargo xtask setup` is called by the others when something is missing.

mod accept;
mod bench;
mod browser;
mod cuda_link;
mod cycles;
mod demo;
mod fuzz;
mod libtorch;
mod licences;
mod matrix;
mod onnxruntime;
mod preprocessing;
mod project;
mod python;
mod server;
mod setup;
mod test;
mod tidy;
mod torch_of;
mod wheels;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::project::Build;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "EagleEye's project tasks", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Fetch libtorch, ONNX Runtime and the front end's packages, where they are missing.
    Setup {
        /// Take libtorch with CUDA and all its libraries (3 GB) instead of the CPU part.
        #[arg(long)]
        cuda: bool,
        /// Fetch no libtorch: build against the torch that this interpreter has, of the version that `tch` is made for.
        #[arg(long, value_name = "PYTHON", conflicts_with = "cuda")]
        torch_of: Option<PathBuf>,
    },
    /// Build everything, prune a real network through the REST API, and keep serving the page.
    Demo(demo::Options),
    /// Build the page, the server and the worker.
    Build {
        /// With optimisations, into `target/release`.
        #[arg(long)]
        release: bool,
        /// With S3 and compatible stores as a place for files.
        #[arg(long)]
        s3: bool,
    },
    /// Everything that must hold before a change lands, but for the browser.
    Test {
        /// Only what the store does on PostgreSQL and workers while it is away; EAGLEEYE_TEST_POSTGRES has the address.
        #[arg(long)]
        postgres: bool,
    },
    /// Drive the page with Chromium against a real server: the main job by hand, and axe on every page.
    Browser {
        /// Also write the pictures of all screens, to docs/screenshots.
        #[arg(long)]
        screenshots: bool,
    },
    /// Build the worker against PyTorch's CUDA wheel and check that it needs the CUDA half of libtorch; no GPU is needed.
    CudaLink,
    /// Prune the fixture networks of a folder in every format and check them with its tools.
    Accept {
        /// Folder with `fixtures/` and `tools/`.
        shared: PathBuf,
        #[command(flatten)]
        options: accept::Options,
    },
    /// Prune torchvision's classifiers in every format and compare them with the zeroed full networks.
    Matrix(matrix::Options),
    /// Compare the loss and the gradients of one training step with PyTorch's, for the networks of the matrix's slice.
    Gradients {
        /// Other networks, by torchvision's names.
        names: Vec<String>,
    },
    /// Check pruned networks in every version of ONNX's operators with onnx.checker and ONNX Runtime, those of the matrix's slice if
    /// no names are given.
    Opsets {
        /// Other networks, by torchvision's names.
        names: Vec<String>,
    },
    /// Rebuild pruned networks from torchvision's classes and the archives that EagleEye writes for them; four small ones if no
    /// names are given.
    StateDict {
        /// Every classifier that has batch norms.
        #[arg(long, conflicts_with = "names")]
        all: bool,
        /// By torchvision's names.
        names: Vec<String>,
    },
    /// Compare preprocessing with torchvision's transforms on JPEG and PNG images.
    Preprocessing(preprocessing::Options),
    /// Measure an optimised build and write docs/benchmarks.md: one part, or all but the search and the images.
    Bench {
        #[command(subcommand)]
        part: Option<bench::Part>,
    },
    /// Feed hostile files to the importers, ten minutes each; needs a nightly compiler and cargo-fuzz.
    Fuzz(fuzz::Options),
    /// Which crate knows which, which files name each other in a circle, how long files are, what must not be in the tree.
    Tidy,
    /// Whether the licences of all crates and npm packages are on the list of those allowed.
    Licences,
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Setup { cuda, torch_of } => {
            setup::run(torch_of.as_deref(), if cuda { libtorch::Variant::Cuda } else { libtorch::Variant::Cpu })
        }
        Task::Demo(options) => demo::run(&options),
        Task::Build { release, s3 } => build(release, s3),
        Task::Test { postgres: false } => test::run(),
        Task::Test { postgres: true } => test::on_postgres(),
        Task::Browser { screenshots } => browser::run(screenshots),
        Task::CudaLink => cuda_link::run(),
        Task::Accept { shared, options } => accept::run(&shared, options),
        Task::Matrix(options) => matrix::run(&options),
        Task::Gradients { names } => matrix::of_slice("gradients.py", &names),
        Task::Opsets { names } => matrix::of_slice("opsets.py", &names),
        Task::StateDict { all, names } => matrix::state_dict(all, &names),
        Task::Preprocessing(options) => preprocessing::run(&options),
        Task::Bench { part } => bench::run(part.as_ref()),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Tidy => tidy::run(),
        Task::Licences => licences::run(),
    }
}

fn build(release: bool, s3: bool) -> Result<()> {
    setup::ensure()?;
    setup::page()?;
    let features: &[&str] = if s3 { &["s3"] } else { &[] };
    project::build_with(if release { Build::Release } else { Build::Programs }, features)
}
