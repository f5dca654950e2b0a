//! `cargo xtask`: set-up and automation, so that two commands do everything. One file per command.

mod bench;
mod build_list;
mod checks;
mod compress;
mod demo;
mod dist;
mod docs;
mod headers;
mod http;
mod interrupt;
mod layout;
mod memory;
mod negotiate;
mod screenshots;
mod serve;
mod setup;
mod size;
mod stamp;
mod step;
mod strip;
mod summary;
mod test;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

use workspace::Workspace;

const PORT: u16 = 8080;

/// Sets up, runs, tests and packages curec. Each command first installs what it needs and the machine lacks, says so, and can be
/// repeated at any time.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run the whole method on the built-in world, build the page with its result, and serve it on this machine
    Demo {
        /// The run directory [default: runs/demo]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// One of curec's presets
        #[arg(long, default_value = "world")]
        preset: String,
        /// The port of the page on 127.0.0.1
        #[arg(long, default_value_t = PORT)]
        port: u16,
        /// Stop once the page is built
        #[arg(long)]
        no_serve: bool,
        /// Handed on to `curec run`
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// Run every check and test; the last line says how many passed and failed
    Test {
        /// Leave out WebAssembly, the browser and the GPU build
        #[arg(long)]
        quick: bool,
    },
    /// Build the page as a static folder for any host
    Dist {
        /// What `curec export` wrote [default: runs/demo/export/artefact]
        #[arg(long, value_name = "DIR")]
        artefact: Option<PathBuf>,
        /// The folder of the page [default: dist]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Fail if the page, artefact and all scorers included, takes more than this many megabytes compressed
        #[arg(long, value_name = "MB", default_value_t = dist::BUDGET / 1_000_000)]
        max_mb: u64,
    },
    /// Report what a built page takes, and fail where its code has grown by more than 2 % since that was recorded
    Size {
        /// The folder of the page [default: dist]
        #[arg(value_name = "DIR")]
        page: Option<PathBuf>,
        /// Write xtask/size.json: these are the sizes to hold from now on
        #[arg(long)]
        record: bool,
    },
    /// Serve a built page on this machine
    Serve {
        /// The folder of the page [default: dist]
        #[arg(value_name = "DIR")]
        page: Option<PathBuf>,
        /// The port on 127.0.0.1
        #[arg(long, default_value_t = PORT)]
        port: u16,
    },
    /// Take pictures of a built page, and replace docs/page.png, the one in README
    Screenshots {
        /// The folder of the page: for README of `curec run --preset world` [default: dist]
        #[arg(value_name = "DIR")]
        page: Option<PathBuf>,
    },
    /// Write the numbers of benches/results into README.md and docs/scale.md
    Docs {
        /// Change nothing; fail if a document is out of date
        #[arg(long, conflicts_with = "collect")]
        check: bool,
        /// First record a finished run as benches/results/NAME.json, an ablation's folder as ablation-NAME.json
        #[arg(long, num_args = 2, value_names = ["RUN_DIR", "NAME"], requires = "command")]
        collect: Option<Vec<String>>,
        /// The command that made that run, as a reader would type it
        #[arg(long, value_name = "TEXT", requires = "collect")]
        command: Option<String>,
    },
    /// Measure the speed of training and scoring on this machine
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
    /// Install everything that the other commands need
    Setup,
}

#[derive(Subcommand)]
enum Bench {
    /// A GRPO step: its parts, its memory, and its peers' where a Python with TRL is given
    Grpo {
        /// A Python that has TRL (`pip install trl==1.16.0`)
        #[arg(long, value_name = "PYTHON")]
        peer: Option<PathBuf>,
        /// How often each program runs, in turns
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Write benches/results/bench/grpo.json
        #[arg(long)]
        record: bool,
    },
    /// SASRec with cross-entropy over the whole catalogue, beside a plain PyTorch one where a Python with PyTorch is given
    Sasrec {
        /// MovieLens-1M with sasrec_sequences.txt
        #[arg(long, value_name = "FOLDER")]
        data: PathBuf,
        /// A Python that has PyTorch (`pip install torch`)
        #[arg(long, value_name = "PYTHON")]
        peer: Option<PathBuf>,
        /// How often each program runs, in turns
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Write benches/results/bench/sasrec.json
        #[arg(long)]
        record: bool,
    },
    /// The data's way from files to a ranking, without a language model: a synthetic log of a million users and items, and real ones
    Scale {
        /// A folder with a real log to measure first; may be repeated
        #[arg(long, value_name = "DIR")]
        log: Vec<PathBuf>,
        /// Write benches/results/bench/scale.json
        #[arg(long)]
        record: bool,
    },
    /// A whole catalogue scored for one viewer, natively and in Chromium, beside onnxruntime-web where a Python with its tools is given
    Scorer {
        /// A Python that has benches/peers/scorer/requirements.txt; `npm ci` in that folder comes first
        #[arg(long, value_name = "PYTHON")]
        peer: Option<PathBuf>,
        /// WebGPU too, in whatever adapter Chromium has here: seconds a scoring where it is emulated in software
        #[arg(long)]
        webgpu: bool,
        /// How often each program runs, in turns
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Write benches/results/bench/scorer.json
        #[arg(long)]
        record: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The folder, if there is a page in it.
fn built(page: PathBuf) -> Result<PathBuf> {
    if page.join("index.html").is_file() {
        return Ok(page);
    }
    bail!(
        "no page at {}: build one with `cargo xtask dist`",
        page.display()
    )
}

fn run(task: Task) -> Result<()> {
    let workspace = Workspace::locate()?;
    let or_default = |path: Option<PathBuf>, default: &str| -> Result<PathBuf> {
        match path {
            Some(path) => workspace.absolute(&path),
            None => Ok(workspace.root.join(Path::new(default))),
        }
    };
    interrupt::install()?;
    match task {
        Task::Demo {
            out,
            preset,
            port,
            no_serve,
            arguments,
        } => demo::demo(
            &workspace,
            &demo::Options {
                run: or_default(out, "runs/demo")?,
                page: workspace.root.join("dist"),
                preset,
                arguments,
                port: (!no_serve).then_some(port),
            },
        ),
        Task::Test { quick } => {
            if test::test(&workspace, quick) {
                Ok(())
            } else {
                // The counts stand on the last line; nothing may follow them.
                std::process::exit(1)
            }
        }
        Task::Dist {
            artefact,
            out,
            max_mb,
        } => dist::build(
            &workspace,
            &dist::Options {
                artefact: or_default(artefact, "runs/demo/export/artefact")?,
                out: or_default(out, "dist")?,
                budget: max_mb.saturating_mul(1_000_000),
            },
        ),
        Task::Size { page, record } => {
            let page = or_default(page, "dist")?;
            if record {
                size::record(&workspace, &page)
            } else {
                size::check(&workspace, &page)
            }
        }
        Task::Serve { page, port } => {
            let page = built(or_default(page, "dist")?)?;
            let listener = serve::bind(port)?;
            interrupt::is_the_way_to_stop();
            serve::serve(&page, &listener)
        }
        Task::Screenshots { page } => {
            screenshots::screenshots(&workspace, &built(or_default(page, "dist")?)?)
        }
        Task::Docs { check: true, .. } => docs::check(&workspace),
        Task::Docs {
            collect, command, ..
        } => {
            let collect = match (collect.as_deref(), command) {
                (Some([run, name]), Some(command)) => Some(docs::Collect {
                    run: workspace.absolute(Path::new(run))?,
                    name: name.clone(),
                    command,
                }),
                _ => None,
            };
            docs::update(&workspace, collect.as_ref())
        }
        Task::Bench {
            what:
                Bench::Grpo {
                    peer,
                    rounds,
                    record,
                },
        } => bench::grpo::grpo(
            &workspace,
            &bench::grpo::Options {
                peer,
                rounds,
                record,
            },
        ),
        Task::Bench {
            what:
                Bench::Sasrec {
                    data,
                    peer,
                    rounds,
                    record,
                },
        } => bench::sasrec::sasrec(
            &workspace,
            &bench::sasrec::Options {
                data: workspace.absolute(&data)?,
                peer,
                rounds,
                record,
            },
        ),
        Task::Bench {
            what: Bench::Scale { log, record },
        } => {
            let logs = log.iter().map(|path| workspace.absolute(path));
            bench::scale::scale(&workspace, &logs.collect::<Result<Vec<_>>>()?, record)
        }
        Task::Bench {
            what:
                Bench::Scorer {
                    peer,
                    webgpu,
                    rounds,
                    record,
                },
        } => bench::scorer::scorer(
            &workspace,
            &bench::scorer::Options {
                peer,
                webgpu,
                rounds,
                record,
            },
        ),
        Task::Setup => setup::all(&workspace),
    }
}
