//! The command line: every command and flag, its default and its range.

mod commands;
mod session;
mod settings;
mod without_meaning;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::{Args, Parser, Subcommand, ValueHint};
use classifier::ranges::threads;
use lecture::LectureArgs;
use serde::Serialize;

pub use commands::{CompletionsArgs, DataCommand, EvalArgs, FindLrArgs, ManArgs, PredictArgs, RecipesArgs};
pub use session::{ClassArgs, DataArgs, LABEL_COLUMN, Session, SizeArgs, check_kind, find_images};
pub use settings::{DROPOUT, LOOKAHEAD_DECAY, LossesFlag, ReductionFlag, Settings};
pub use without_meaning::{check_verbose, given_without_meaning, has_no_meaning};

const EXAMPLES: &str = "\
Examples:
  # on CIFAR-10 or the built-in set
  descent
  # every number is a flag
  descent train --epochs 10 --lr 0.001
  # stop early, keep the best weights
  descent train --val 5000 --patience 5
  descent eval --model runs/NAME
  descent predict cat.png \\
      --model runs/NAME
  # the lecture's experiments, as a page
  descent lecture

Get CIFAR-10: cargo xtask fetch-cifar";

/// Deep learning from scratch: train a small convolutional network on this machine's CPU.
///
/// Without a command it trains.
#[derive(Debug, Parser)]
#[command(name = "descent", version, long_version = crate::machine::long_version(), after_help = EXAMPLES, max_term_width = 100, args_override_self = true)]
#[command(mut_subcommands = adjust_values, mut_subcommand("find-lr", hide_what_has_no_meaning))]
#[command(mut_subcommands = name_variables)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Print only warnings, errors and the requested output, without progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print more: every setting, the machine, each checkpoint written
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl Cli {
    /// The command; `train` with its defaults if none was given.
    pub fn command(self) -> Command {
        self.command.unwrap_or_default()
    }
}

/// Takes `--lr -1` as a learning rate, to be rejected with its range, and not as a flag named 1; and completes
/// file names for paths only.
fn adjust_values(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        let takes_values = arg.get_action().takes_values();
        let hint = match arg.get_value_hint() {
            ValueHint::Unknown if takes_values => ValueHint::Other,
            hint => hint,
        };
        arg.allow_negative_numbers(takes_values).value_hint(hint)
    });
    command.mut_subcommands(adjust_values)
}

/// The variable in the environment that sets `--data` where neither a flag nor a file does.
const DATA: &str = "DESCENT_DATA";

/// The same for `--threads`.
const THREADS: &str = "DESCENT_THREADS";

/// Names in the help the variables that [`Command::add_environment`] reads. clap does not know them: it would read
/// them for every line that it parses, the record of an old run too.
fn name_variables(command: clap::Command) -> clap::Command {
    let variables = match command.get_name() {
        "train" | "find-lr" => &[("data", DATA), ("threads", THREADS)][..],
        "eval" => &[("threads", THREADS)],
        _ => &[],
    };
    variables.iter().fold(command, |command, (flag, variable)| {
        command.mut_arg(flag, |arg| {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            arg.help(format!("{help} [env: {variable}]"))
        })
    })
}

/// Leaves what `find-lr` does not use out of its help.
fn hide_what_has_no_meaning(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| {
        let is_hidden = arg.is_hide_set() || has_no_meaning(arg.get_id().as_str());
        arg.hide(is_hidden)
    })
}

/// The program's commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network, by default the lecture's.
    Train(Box<TrainArgs>),
    /// Evaluate saved weights: loss, accuracy, precision and recall by class, calibration.
    Eval(EvalArgs),
    /// Classify images.
    Predict(PredictArgs),
    /// Show the images in a folder, and any problems with them.
    Data(DataCommand),
    /// Find a learning rate: train for a number of steps at increasing rates.
    FindLr(Box<FindLrArgs>),
    /// Print a script that completes commands and flags in a shell.
    Completions(CompletionsArgs),
    /// Print the manual page of the program or of a command, for man.
    Man(ManArgs),
    /// List the recipes, or print one: its flags and its network.
    Recipes(RecipesArgs),
    /// Make the lecture: every experiment with its figures and numbers, and a page that tells the story.
    Lecture(LectureArgs),
}

impl Default for Command {
    /// Training with every default, each of which is written once, on its flag.
    fn default() -> Self {
        Cli::parse_from(["descent", "train"]).command.expect("`train` is a command")
    }
}

impl Command {
    /// Sets from the environment, by the names of its variables, what its flags left open. The images of `eval` are
    /// those of the run.
    ///
    /// # Errors
    /// When a variable that is needed is no value of its flag.
    pub fn add_environment(&mut self, variable: fn(&str) -> Option<OsString>) -> Result<()> {
        let session = match self {
            Self::Train(args) => &mut args.session,
            Self::FindLr(args) => &mut args.train.session,
            Self::Eval(args) => return set(&mut args.threads, variable, THREADS, n_threads),
            _ => return Ok(()),
        };
        set(&mut session.data.data, variable, DATA, data)?;
        set(&mut session.threads, variable, THREADS, n_threads)
    }
}

fn data(value: &OsStr) -> Result<PathBuf, String> {
    let path = (!value.is_empty()).then(|| value.into());
    path.ok_or_else(|| "expected a path".to_owned())
}

fn n_threads(value: &OsStr) -> Result<usize, String> {
    threads(&value.to_string_lossy())
}

/// Sets what is not given to the value of a variable, if there is one.
fn set<T>(
    given: &mut Option<T>,
    variable: fn(&str) -> Option<OsString>,
    name: &str,
    parse: fn(&OsStr) -> Result<T, String>,
) -> Result<()> {
    if let Some(value) = variable(name).filter(|_| given.is_none()) {
        let wrong = |expected| anyhow!("{name} is {:?}: {expected}", value.to_string_lossy());
        *given = Some(parse(&value).map_err(wrong)?);
    }
    Ok(())
}

/// The flags of `descent train`.
#[derive(Clone, Debug, PartialEq, Args, Serialize)]
#[command(
    args_override_self = true,
    after_help = "\
Examples:
  # the lecture's run
  descent train
  descent train --optimizer sgd \\
      --momentum 0.9 --lr 0.02 \\
      --schedule cosine
  # a quick look
  descent train --limit 5000 --epochs 5
  descent train --augment --normalize \\
      --val 5000 --patience 8
  # a recipe, changed
  descent train --recipe airbench94 \\
      --epochs 4
  # torchvision's weights
  descent train \\
      --net resnet18-imagenet \\
      --weights resnet18.safetensors \\
      --normalize=imagenet
  descent train --net resnet18 \\
      --optimizer sgd --momentum 0.9 \\
      --nesterov \\
      --group 'biases: weight_decay=0'
  descent train --out runs/long \\
      --checkpoint-every 10m
  # once it was stopped
  descent train --out runs/long --resume"
)]
pub struct TrainArgs {
    /// What the run computes.
    #[command(flatten)]
    #[serde(flatten)]
    pub settings: Settings,

    /// Where and how it does so.
    #[command(flatten)]
    #[serde(flatten)]
    pub session: Session,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_argument_trains_with_the_defaults() {
        let Command::Train(args) = Cli::parse_from(["descent"]).command() else { panic!("it should train") };
        let Command::Train(explicit) = Cli::parse_from(["descent", "train"]).command() else { panic!() };
        assert_eq!(args, explicit);
        let Settings { batch_size, weight_decay, dropout, .. } = args.settings;
        assert_eq!((batch_size, weight_decay, dropout), (64, 1e-4, 0.5));
    }

    #[test]
    fn the_definitions_are_consistent() {
        use clap::CommandFactory;
        Cli::command_for_update();
        <Cli as CommandFactory>::command().debug_assert();
    }

    /// The experiments of the lecture aside, whose names are as long as a line.
    #[test]
    fn usage_lines_fit_a_terminal_of_40_columns() {
        use clap::CommandFactory;
        let mut cli = <Cli as CommandFactory>::command();
        cli.build();
        for command in cli.get_subcommands_mut().filter(|command| command.get_name() != "lecture") {
            let usage = command.render_usage().to_string();
            assert!(usage.starts_with("Usage: descent "), "{usage}");
            for line in usage.lines() {
                assert!(line.chars().count() <= 40, "{line}");
            }
        }
    }

    /// clap breaks neither headings nor the lines of examples well.
    #[test]
    fn headings_and_examples_fit_a_terminal_of_40_columns() {
        use clap::CommandFactory;
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            for line in help.lines() {
                assert!(line.chars().count() <= 40, "{}: {line}", command.get_name());
            }
            for width in [40, 80] {
                let shown = command.clone().term_width(width).render_help().to_string();
                assert!(shown.trim_end().ends_with(&help), "{}: {shown}", command.get_name());
            }
            for heading in command.get_arguments().filter_map(clap::Arg::get_help_heading) {
                assert!(heading.len() < 40, "{}: {heading}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&<Cli as CommandFactory>::command());
        assert!(crate::machine::long_version().lines().all(|line| line.chars().count() <= 40));
    }
}
