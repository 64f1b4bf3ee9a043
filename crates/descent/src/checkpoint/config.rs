//! What a run was started with, and whether it may go on with other flags.

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use classifier::Images;
use classifier::output::{message, warn};
use data::Dataset;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Checkpoint, Folder, bounds, seal};
use crate::cli::{Cli, Command, TrainArgs};

/// Flags that say where and how, not what: they may differ from start to start.
const FREE: &[&str] = &[
    "data",
    "threads",
    "out",
    "checkpoint_every",
    "keep",
    "resume",
    "resume_with",
    "on_nan",
    "detect_anomaly",
];

/// Flags that decide which images an epoch has and in which order: they cannot change within one.
const OF_AN_EPOCH: &[&str] = &["batch_size", "seed", "val", "limit"];

/// Which configuration a resumed run takes where the checkpoint's differs from the flags'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ResumeWith {
    /// The checkpoint's.
    Saved,
    /// The command line's.
    Flags,
}

/// What a run was started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The flags that change what is computed, by name.
    #[serde(deserialize_with = "bounds::flags")]
    flags: Map<String, Value>,
    /// The SHA-256 of all images and labels.
    data: String,
}

impl Config {
    /// The configuration of a run with these flags on these images.
    pub fn new(args: &TrainArgs, images: &Images) -> Self {
        Self { data: sum_of(&[&images.train, &images.test]), ..Self::of_flags(args) }
    }

    /// The same for no images.
    pub fn of_flags(args: &TrainArgs) -> Self {
        Self { flags: flags_of(args), data: sum_of(&[]) }
    }

    /// Whether a run with this configuration may go on from a checkpoint: when nothing differs, or when
    /// differences are `accepted` and none of them tears an epoch apart.
    fn check(&self, checkpoint: &Checkpoint, accepted: bool) -> Result<()> {
        let differing = self.differing_flags(&checkpoint.config);
        let other_data = self.data != checkpoint.config.data;
        let mut all: Vec<&str> = differing.iter().map(|(_, what)| what.as_str()).collect();
        all.extend(other_data.then_some("the images are others"));
        let all = all.join("; ");
        ensure!(
            accepted || all.is_empty(),
            "the run was started otherwise: {all}. Go on as it was started (--resume-with saved) or with these \
             flags (--resume-with flags)"
        );
        let of_an_epoch = |(name, _): &(String, String)| OF_AN_EPOCH.contains(&name.as_str());
        ensure!(
            checkpoint.state.batch == 0 || !(other_data || differing.iter().any(of_an_epoch)),
            "the newest checkpoint stands within epoch {}, in which the images and their order cannot change: {all}",
            checkpoint.state.epoch + 1
        );
        Ok(())
    }

    /// The flags that differ from those of `saved`, by name and with both values.
    fn differing_flags(&self, saved: &Self) -> Vec<(String, String)> {
        let mut names: Vec<&String> = self.flags.keys().chain(saved.flags.keys()).collect();
        names.sort();
        names.dedup();
        names.retain(|name| self.flags.get(*name) != saved.flags.get(*name));
        let show = |value: Option<&Value>| match value {
            None | Some(Value::Null) => "not given".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        let describe = |name: &String| {
            let (now, then) = (show(self.flags.get(name)), show(saved.flags.get(name)));
            (name.clone(), format!("{} is {now}, in the checkpoint {then}", flag(name)))
        };
        names.into_iter().map(describe).collect()
    }

    /// The saved flags, with the free ones of `args`. They go through the command line's own checks.
    fn args_with(&self, args: &TrainArgs) -> Result<TrainArgs> {
        let mut line = vec!["descent".to_owned(), "train".to_owned()];
        for (name, value) in &self.flags {
            match value {
                Value::Null | Value::Bool(false) => {}
                Value::Bool(true) => line.push(flag(name)),
                Value::String(text) => line.push(format!("{}={text}", flag(name))),
                value => line.push(format!("{}={value}", flag(name))),
            }
        }
        let cli =
            Cli::try_parse_from(line).context("the checkpoint has flags that this program does not take")?;
        let Command::Train(saved) = cli.command() else { unreachable!("the line says `train`") };
        Ok(TrainArgs {
            data: args.data.clone(),
            threads: args.threads,
            out: args.out.clone(),
            checkpoint_every: args.checkpoint_every,
            keep: args.keep,
            resume: args.resume,
            resume_with: args.resume_with,
            on_nan: args.on_nan,
            detect_anomaly: args.detect_anomaly,
            ..*saved
        })
    }
}

/// How a run starts.
#[derive(Debug)]
pub struct Start {
    /// The flags it goes by.
    pub args: TrainArgs,
    /// What its checkpoints will say of it.
    pub config: Config,
    /// What it goes on from.
    pub checkpoint: Option<Checkpoint>,
}

impl Start {
    /// With `--resume` from the newest good checkpoint, if there is one yet; damaged ones are named on standard
    /// error.
    ///
    /// # Errors
    /// When flags or images differ from the checkpoint's and `--resume-with` does not say which to take.
    pub fn choose(args: &TrainArgs, folder: &mut Folder, images: &Images) -> Result<Self> {
        let config = Config::new(args, images);
        let damaged =
            |error: &anyhow::Error| warn(format_args!("passing over a checkpoint: {}", message(error)));
        let checkpoint = if args.resume { folder.newest_good(damaged)? } else { None };
        let Some(checkpoint) = checkpoint else { return Ok(Self { args: args.clone(), config, checkpoint }) };
        let args = match args.resume_with {
            Some(ResumeWith::Saved) => {
                ensure!(
                    checkpoint.config.data == config.data,
                    "the images are not those of the checkpoint: give them with --data, or go on with these \
                     (--resume-with flags)"
                );
                checkpoint.config.args_with(args)?
            }
            chosen => {
                let out = folder.path().display();
                config.check(&checkpoint, chosen.is_some()).with_context(|| out.to_string())?;
                args.clone()
            }
        };
        Ok(Self { config: Config { flags: flags_of(&args), ..config }, args, checkpoint: Some(checkpoint) })
    }
}

/// The flags that change what is computed.
fn flags_of(args: &TrainArgs) -> Map<String, Value> {
    let Ok(Value::Object(mut flags)) = serde_json::to_value(args) else {
        unreachable!("flags are a JSON object")
    };
    flags.retain(|name, _| !FREE.contains(&name.as_str()));
    flags
}

/// The flag of a field: `batch_size` is `--batch-size`.
fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

/// One sum over the bytes and labels of all images.
fn sum_of(sets: &[&dyn Dataset]) -> String {
    let mut hasher = Sha256::new();
    for set in sets {
        hasher.update((set.len() as u64).to_le_bytes());
        for image_idx in 0..set.len() {
            hasher.update(set.label(image_idx).to_le_bytes());
            hasher.update(set.image(image_idx));
        }
    }
    seal::hex(hasher.finalize())
}
