#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod experiments;
pub mod subjects;

mod page;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use classifier::output::{answer, say};
use foreign_text::shown_path;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

pub use experiments::{AnyExperiment, Experiment, defaults};
pub use page::{Cell, Frame, Knob, Section, Table, bibliography, book_page};

/// The flags of `descent lecture`.
#[derive(Clone, Debug, Args)]
#[command(
    subcommand_value_name = "NAME",
    subcommand_help_heading = "Experiments",
    after_help = "\
Examples:
  # everything, and index.html
  descent lecture
  # one, with numbers of your own
  descent lecture momentum \\
      --momenta 0.5,0.99
  # its flags
  descent lecture momentum --help
  # chapter 5 with a run's network
  descent lecture --model runs/NAME"
)]
pub struct LectureArgs {
    /// The experiment to make [default: all of them]
    #[command(subcommand)]
    pub experiment: Option<AnyExperiment>,

    /// Folder of CIFAR-10 for all experiments with images; a single one takes this flag after its name
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,

    /// Weights of a finished run, for all experiments that look into a network instead of training one on the spot
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,

    /// Folder for the page, the figures and the numbers
    #[arg(long, value_name = "DIR", default_value = "runs/lecture", global = true)]
    pub out: PathBuf,

    /// Print the experiments' names and what they show
    #[arg(long, conflicts_with_all = ["data", "model", "out"])]
    pub list: bool,
}

/// Runs one experiment or all of them, and writes the page.
///
/// # Errors
/// When an experiment fails or a file cannot be written. Nothing is written until all have succeeded, except
/// the folder itself, which is created first.
pub fn lecture(args: &LectureArgs) -> Result<()> {
    if args.list {
        ensure!(args.experiment.is_none(), "--list is of all experiments: leave out the name of one");
        return answer(list().trim_end());
    }
    let network = [("--data", &args.data), ("--model", &args.model)];
    if let (Some(_), Some((flag, _))) = (&args.experiment, network.iter().find(|(_, value)| value.is_some()))
    {
        bail!("{flag} before the experiment's name is for all experiments: give it after the name");
    }
    prepare(&args.out)?;
    let started = Instant::now();
    let (sections, page) = match &args.experiment {
        Some(experiment) => {
            let section = experiment.run()?;
            say(section.terminal())?;
            let page = format!("{}.html", section.name);
            (vec![section], page)
        }
        None => {
            let on = |experiment: AnyExperiment| experiment.on(args.data.as_deref(), args.model.as_deref());
            let all: Vec<AnyExperiment> = AnyExperiment::all().into_iter().map(on).collect();
            (run_all(&all)?, "index.html".to_owned())
        }
    };
    write(&args.out, &sections, &page)?;
    say(format_args!("{} in {:.1} s", shown_path(&args.out.join(page)), started.elapsed().as_secs_f64()))
}

/// A line for each experiment: its name and what it shows.
fn list() -> String {
    let command = AnyExperiment::augment_subcommands(clap::Command::new("lecture"));
    let line = |c: &clap::Command| {
        format!("{:<22} {}\n", c.get_name(), c.get_about().map(ToString::to_string).unwrap_or_default())
    };
    command.get_subcommands().map(line).collect()
}

/// Runs the experiments and returns their sections, in order; prints one line as each finishes.
///
/// # Errors
/// When an experiment fails; the error starts with its name.
pub fn run_all(experiments: &[AnyExperiment]) -> Result<Vec<Section>> {
    let (n, n_done) = (experiments.len(), AtomicUsize::new(0));
    let run = |experiment: &AnyExperiment| {
        let started = Instant::now();
        let section = experiment.run()?;
        let n_done = n_done.fetch_add(1, Ordering::Relaxed) + 1;
        say(format_args!("{n_done:>3}/{n}  {:<22} {:5.1} s", section.name, started.elapsed().as_secs_f64()))?;
        Ok(section)
    };
    experiments.par_iter().map(run).collect()
}

/// Writes each section's files into a folder of its name in `out`, then the page of all sections.
///
/// # Errors
/// When a folder or a file cannot be written.
pub fn write(out: &Path, sections: &[Section], page: &str) -> Result<()> {
    for section in sections {
        let folder = out.join(&section.name);
        make_folder(&folder)?;
        section.files().try_for_each(|(name, bytes)| write_file(&folder.join(name), bytes))?;
    }
    write_file(&out.join(page), page::page(sections).as_bytes())
}

/// Creates the folder and checks that it is writable, before anything is computed.
fn prepare(out: &Path) -> Result<()> {
    make_folder(out)?;
    let attempt = || {
        let path = atomic_file::beside(&out.join("index.html"))?;
        fs::File::create_new(&path)?;
        fs::remove_file(&path)
    };
    attempt().with_context(|| format!("cannot write into {} (choose another with --out)", shown_path(out)))
}

fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {} (choose another with --out)", shown_path(folder)))
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    atomic_file::write(path, bytes).with_context(|| format!("cannot write {}", shown_path(path)))
}

/// The code of the book's chapters is compiled with the documentation tests.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../docs/book/weight-decay.md")]
    struct WeightDecay;
    #[doc = include_str!("../../../docs/book/dropout.md")]
    struct Dropout;
    #[doc = include_str!("../../../docs/book/activations.md")]
    struct Activations;
    #[doc = include_str!("../../../docs/book/initialisation.md")]
    struct Initialisation;
    #[doc = include_str!("../../../docs/book/learning-rate.md")]
    struct LearningRate;
    #[doc = include_str!("../../../docs/book/momentum.md")]
    struct Momentum;
    #[doc = include_str!("../../../docs/book/adam.md")]
    struct Adam;
    #[doc = include_str!("../../../docs/book/cifar.md")]
    struct Cifar;
    #[doc = include_str!("../../../docs/book/linear.md")]
    struct Linear;
    #[doc = include_str!("../../../docs/book/layer-norm.md")]
    struct LayerNorm;
    #[doc = include_str!("../../../docs/book/attention.md")]
    struct Attention;
    #[doc = include_str!("../../../docs/book/cnn.md")]
    struct Cnn;
    #[doc = include_str!("../../../docs/book/tuning.md")]
    struct Tuning;
}
