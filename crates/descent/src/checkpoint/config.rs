//! The configuration of a run, and whether it may resume with other flags.

use anyhow::{Context, Result, ensure};
use clap::{Args, FromArgMatches, ValueEnum};
use classifier::Images;
use classifier::output::{message, warn};
use data::{Dataset, ValuesMut};
use foreign_text::{Foreign, shown_path};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Checkpoint, Folder, bounds, checksum};
use crate::cli::{Settings, TrainArgs};
use crate::flags::{LimitFlag, ResumeWith, ValFlag, by_name};
use crate::idle::idle_flags;
use crate::limit::usual as usual_limit;

/// The value of each flag for a run whose checkpoint lacks it: the behaviour before the flag existed, if that is
/// not to leave the flag out. A row is added with its flag and never changes, even if the flag's default does.
const WHEN_MISSING: &str = r#"{
    "accumulate": 1,
    "augment": false,
    "batch_size": 64,
    "brightness": 0.0,
    "contrast": 0.0,
    "crop_border": "zero",
    "cutout": 0,
    "drop_last": false,
    "dropout": 0.5,
    "erase": 0.0,
    "label_smoothing": 0.0,
    "limit_by": "first",
    "lookahead_decay": 0.95,
    "net": "lecture",
    "no_fusion": false,
    "normalize": false,
    "optimizer": "adam",
    "reduction": "mean",
    "rotate": 0.0,
    "saturation": 0.0,
    "schedule": "constant",
    "seed": 42,
    "tta": "none",
    "val": 0,
    "weight_decay": 0.0001
}"#;

/// Flags that decide the images of an epoch and their order: they cannot change in the middle of one.
const OF_AN_EPOCH: &[&str] = &["batch_size", "drop_last", "seed", "val", "limit", "limit_by"];

/// Checks that a checkpoint with these settings could be read again.
///
/// # Errors
/// When they are too long.
pub fn check_length(settings: &Settings) -> Result<()> {
    // The number of held-out images is added later.
    let len = serde_json::to_string(settings).context("the flags")?.len() + 20;
    ensure!(
        len <= bounds::MAX_FLAGS_LEN,
        "the flags take {len} characters, expected at most {}: a checkpoint stores all of them. Shorten \
         --group, --freeze, --freeze-after or --class-weights",
        bounds::MAX_FLAGS_LEN
    );
    Ok(())
}

/// The configuration of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The settings, by the names of their flags.
    #[serde(deserialize_with = "all_flags")]
    flags: Map<String, Value>,
    /// The SHA-256 of all images and labels.
    data: String,
}

impl Config {
    /// The configuration of a run with these settings on these images.
    pub fn new(settings: &Settings, images: &Images) -> Self {
        let mut sets: Vec<&dyn Dataset> = vec![&images.train, &images.test];
        if !images.validation.is_empty() {
            sets.push(&images.validation);
        }
        Self { data: digest(&sets), ..Self::without_images(settings) }
    }

    /// The same without images.
    pub fn without_images(settings: &Settings) -> Self {
        Self { flags: by_name(settings), data: digest(&[]) }
    }

    /// The SHA-256 of all images and labels.
    pub fn data(&self) -> &str {
        &self.data
    }

    /// Checks that a run with this configuration may resume from a checkpoint: if nothing differs, or if
    /// differences are `accepted` and none of them would change an epoch in its middle.
    fn check(&self, checkpoint: &Checkpoint, accepted: bool) -> Result<()> {
        let differing = self.differing_flags(&checkpoint.config);
        let other_data = self.data != checkpoint.config.data;
        let mut all: Vec<&str> = differing.iter().map(|(_, what)| what.as_str()).collect();
        all.extend(other_data.then_some("the images differ"));
        let all = all.join("; ");
        ensure!(
            accepted || all.is_empty(),
            "the checkpoint was made with different flags: {all}. Resume with its own (--resume-with saved) or with \
             those of the command line (--resume-with flags)"
        );
        let of_an_epoch = |(name, _): &(String, String)| OF_AN_EPOCH.contains(&name.as_str());
        ensure!(
            checkpoint.state.batch == 0 || !(other_data || differing.iter().any(of_an_epoch)),
            "the newest checkpoint is in the middle of epoch {}, where the images and their order cannot change: {all}",
            checkpoint.state.epoch + 1
        );
        Ok(())
    }

    /// The number of images that a run with these flags holds out, if they specify it.
    fn held_out(&self) -> Option<usize> {
        self.flags.get("val")?.as_u64().map(|n| n as usize)
    }

    /// Which images `--limit` takes in a run with these flags, if it takes some.
    fn limit_by(&self) -> Option<LimitFlag> {
        given(&self.flags, "limit")?;
        LimitFlag::from_str(given(&self.flags, "limit_by")?.as_str()?, true).ok()
    }

    /// The flags that differ from those of `saved`, by name and with both values. One that has no effect there
    /// and is not given here does not count: earlier versions kept what their recipes left without effect.
    fn differing_flags(&self, saved: &Self) -> Vec<(String, String)> {
        let usual = Self { flags: Map::new(), data: String::new() }.settings().expect("no flag is needed");
        let (usual, idle) =
            (by_name(&usual), saved.settings().map_or(Vec::new(), |saved| idle_flags(&saved)));
        let mut names: Vec<&String> = self.flags.keys().chain(saved.flags.keys()).collect();
        names.sort();
        names.dedup();
        names.retain(|name| {
            let now = given(&self.flags, name);
            let is_left_out = now == given(&usual, name) && idle.iter().any(|(idle, _)| idle == name);
            now != given(&saved.flags, name) && !is_left_out
        });
        let show = |value: Option<&Value>| match value {
            None => "not given".to_owned(),
            Some(Value::String(text)) => Foreign::new(text).to_string(),
            Some(value) => value.to_string(),
        };
        let describe = |name: &String| {
            let (now, then) = (show(given(&self.flags, name)), show(given(&saved.flags, name)));
            (name.clone(), format!("{} is {now}, but {then} in the checkpoint", Foreign::new(&flag(name))))
        };
        names.into_iter().map(describe).collect()
    }

    /// The settings. They are parsed as on the command line, so that even those of a forged file are in
    /// range.
    fn settings(&self) -> Result<Settings> {
        let word = |(name, value): (&String, &Value)| match value {
            Value::Null | Value::Bool(false) => None,
            Value::Bool(true) => Some(flag(name)),
            Value::String(text) => Some(format!("{}={text}", flag(name))),
            value => Some(format!("{}={value}", flag(name))),
        };
        let command = Settings::augment_args(clap::Command::new("checkpoint").no_binary_name(true));
        let matches = command.try_get_matches_from(self.flags.iter().filter_map(word));
        let matches = matches.context("the checkpoint has flags that this program does not know")?;
        Ok(Settings::from_arg_matches(&matches)?)
    }
}

/// The start of a run.
#[derive(Debug)]
pub struct Start {
    /// Its flags.
    pub args: TrainArgs,
    /// The configuration that its checkpoints will hold.
    pub config: Config,
    /// The checkpoint it resumes from.
    pub checkpoint: Option<Checkpoint>,
}

impl Start {
    /// Starts from scratch, regardless of the folder's contents.
    pub fn afresh(args: &TrainArgs, images: &Images) -> Self {
        let args = with_choices(args, None, images);
        Self { config: Config::new(&args.settings, images), args, checkpoint: None }
    }

    /// With `--resume`, starts from the newest good checkpoint, if there is one; damaged ones are reported on
    /// standard error.
    ///
    /// # Errors
    /// When flags or images differ from the checkpoint's and `--resume-with` does not say which to use.
    pub fn choose(args: &TrainArgs, folder: &mut Folder, images: &Images) -> Result<Self> {
        let damaged = |error: &anyhow::Error| warn(format_args!("skipping a checkpoint: {}", message(error)));
        let checkpoint = if args.session.resume { folder.newest_good(damaged)? } else { None };
        let saved = checkpoint.as_ref().map(|checkpoint| &checkpoint.config);
        let mut args = with_choices(args, saved, images);
        if let Some(saved) = saved {
            leave_out_defaults(&mut args.settings, saved, images);
        }
        let args = &args;
        let config = Config::new(&args.settings, images);
        let Some(checkpoint) = checkpoint else { return Ok(Self { args: args.clone(), config, checkpoint }) };
        let args = match args.session.resume_with {
            Some(ResumeWith::Saved) => {
                ensure!(
                    checkpoint.config.data == config.data,
                    "the images are not those of the checkpoint: pass them with --data, or resume with these \
                     (--resume-with flags)"
                );
                TrainArgs { settings: checkpoint.config.settings()?, session: args.session.clone() }
            }
            chosen => {
                config.check(&checkpoint, chosen.is_some()).with_context(|| shown_path(folder.path()))?;
                args.clone()
            }
        };
        Ok(Self {
            config: Config { flags: by_name(&args.settings), ..config },
            args,
            checkpoint: Some(checkpoint),
        })
    }
}

/// The flags with the number of images to hold out, and with those that `--limit` takes: if not given, as in the
/// resumed run, or else the default for the data.
fn with_choices(args: &TrainArgs, saved: Option<&Config>, images: &Images) -> TrainArgs {
    let mut args = args.clone();
    let Settings { val, limit, limit_by, .. } = &mut args.settings;
    let n_training = limit.unwrap_or(usize::MAX).min(images.train.len());
    let asked = val.map(|val| val.of(n_training)).or(saved.and_then(Config::held_out));
    *val = Some(ValFlag::Images(asked.unwrap_or_else(|| images.default_validation(n_training))));
    if limit.is_some() {
        *limit_by = limit_by.or(saved.and_then(Config::limit_by)).or(Some(usual_limit(images)));
    }
    args
}

/// Leaves out epochs and learning rate if they are the defaults for the data and the checkpoint has none: the
/// record of a run, which `--config` takes, has them filled in.
fn leave_out_defaults(settings: &mut Settings, saved: &Config, images: &Images) {
    let is_left_out = |name: &str| given(&saved.flags, name).is_none();
    if is_left_out("epochs") && settings.epochs == Some(images.default_epochs) {
        settings.epochs = None;
    }
    if is_left_out("lr") {
        let given = settings.lr.take();
        let default = Some(settings.learning_rate(images.adam_lr));
        settings.lr = given.filter(|_| given != default);
    }
}

/// The value of a flag, unless it is left out.
fn given<'f>(flags: &'f Map<String, Value>, name: &str) -> Option<&'f Value> {
    flags.get(name).filter(|value| !value.is_null())
}

/// Reads the flags of a checkpoint, and adds missing ones.
fn all_flags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    let mut flags: Map<String, Value> =
        serde_json::from_str(WHEN_MISSING).expect("the table is a JSON object");
    flags.extend(bounds::flags(deserializer)?);
    Ok(flags)
}

/// The flag of a field: `batch_size` is `--batch-size`.
fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
}

/// The SHA-256 of the bytes and labels of all images.
fn digest(sets: &[&dyn Dataset]) -> String {
    let mut hasher = Sha256::new();
    for set in sets {
        hasher.update((set.len() as u64).to_le_bytes());
        // The fields of a table are numbers.
        let mut rows: Vec<Vec<f32>> = set.fields().iter().map(|field| vec![0.0; field.len()]).collect();
        for image_idx in 0..set.len() {
            hasher.update(set.label(image_idx).to_le_bytes());
            if !set.image_shape().is_empty() {
                hasher.update(set.image(image_idx));
            }
            for (field_idx, values) in rows.iter_mut().enumerate() {
                set.read_field(field_idx, image_idx, ValuesMut::F32(values));
                values.iter().for_each(|value| hasher.update(value.to_le_bytes()));
            }
        }
    }
    checksum::hex(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::cli::{Cli, Command};

    fn config(flags: Value) -> Config {
        serde_json::from_str(&json!({"flags": flags, "data": ""}).to_string()).unwrap()
    }

    #[test]
    fn every_setting_has_a_value_for_checkpoints_that_lack_it() {
        let Command::Train(args) = Cli::parse_from(["descent"]).command() else { unreachable!() };
        let when_missing: Map<String, Value> = serde_json::from_str(WHEN_MISSING).unwrap();
        let usual = by_name(&args.settings);
        for (name, default) in &usual {
            assert!(
                default.is_null() || when_missing.contains_key(name),
                "WHEN_MISSING has no row for {name}, whose default is {default}: what did runs do before it?"
            );
            let mut flags = usual.clone();
            flags.insert("seed".into(), 7.into());
            flags.remove(name);
            let read = config(flags.clone().into()).flags;
            assert_eq!(read.get(name), when_missing.get(name), "a checkpoint without {name}");
            assert!(flags.iter().all(|(name, value)| read[name] == *value), "{name} changed another flag");
        }
        let unknown: Vec<_> = when_missing.keys().filter(|name| !usual.contains_key(*name)).collect();
        assert!(unknown.is_empty(), "WHEN_MISSING has rows for {unknown:?}, which are no flags");
    }

    #[test]
    fn what_is_held_out_is_what_was_asked_for_then_what_was_saved_then_what_the_data_asks_for() {
        let Command::Train(mut args) = Cli::parse_from(["descent"]).command() else { unreachable!() };
        let built_in = Images::open(None).unwrap();
        let none = config(json!({"val": 0}));
        let val = |args: &TrainArgs, saved| {
            with_choices(args, saved, &built_in).settings.val.unwrap().of(usize::MAX)
        };
        assert_eq!((val(&args, None), val(&args, Some(&none))), (built_in.train.len() / 10, 0));
        args.settings.limit = Some(50);
        assert_eq!(val(&args, None), 5);
        args.settings.val = Some(ValFlag::Share(0.2));
        assert_eq!(val(&args, None), 10);
        args.settings.val = Some(ValFlag::Images(7));
        assert_eq!(val(&args, Some(&none)), 7);
    }

    #[test]
    fn an_old_run_takes_the_images_within_its_limit_that_it_took() {
        let Command::Train(mut args) = Cli::parse_from(["descent"]).command() else { unreachable!() };
        let mut sorted = Images::open(None).unwrap();
        sorted.kind = classifier::Kind::Folder;
        let by = |args: &TrainArgs, saved| with_choices(args, saved, &sorted).settings.limit_by;
        let old = config(json!({"limit": 50}));
        assert_eq!((by(&args, None), by(&args, Some(&old))), (None, None));
        args.settings.limit = Some(50);
        assert_eq!(
            (by(&args, None), by(&args, Some(&old))),
            (Some(LimitFlag::Class), Some(LimitFlag::First))
        );
        // Without a limit it makes no difference.
        let [without, old] =
            [Config::without_images(&with_choices(&plain(), None, &sorted).settings), config(json!({}))];
        let names: Vec<String> = without.differing_flags(&old).into_iter().map(|(name, _)| name).collect();
        assert!(!names.contains(&"limit_by".to_owned()), "{names:?}");
    }

    fn plain() -> TrainArgs {
        let Command::Train(args) = Cli::parse_from(["descent"]).command() else { unreachable!() };
        *args
    }

    #[test]
    fn defaults_are_left_out_if_the_checkpoint_has_none() {
        let Command::Train(mut args) = Cli::parse_from(["descent"]).command() else { unreachable!() };
        let built_in = Images::open(None).unwrap();
        let defaults = (Some(built_in.default_epochs), Some(built_in.adam_lr));
        let others = (Some(built_in.default_epochs + 1), Some(0.5));
        let without = config(by_name(&args.settings).into());
        (args.settings.epochs, args.settings.lr) = others;
        let with = config(by_name(&args.settings).into());
        for (saved, given, expected) in
            [(&without, defaults, (None, None)), (&without, others, others), (&with, defaults, defaults)]
        {
            (args.settings.epochs, args.settings.lr) = given;
            leave_out_defaults(&mut args.settings, saved, &built_in);
            assert_eq!((args.settings.epochs, args.settings.lr), expected);
        }
    }

    #[test]
    fn a_flag_that_had_no_effect_and_is_left_out_now_is_no_difference() {
        let config = |line: &[&str]| {
            let words = ["descent", "train"].iter().chain(line);
            let Command::Train(args) = Cli::parse_from(words).command() else { unreachable!() };
            Config::without_images(&args.settings)
        };
        let (border, start) = (&["--crop-border", "reflect"][..], &["--warmup-start", "0.2"][..]);
        for line in [border, start, &["--lookahead-decay", "0.7"], &["--net", "mlp", "--dropout", "0.1"]] {
            let without = &line[..line.len() - 2];
            assert_eq!(config(without).differing_flags(&config(line)), [], "{line:?}");
            assert_eq!(config(line).differing_flags(&config(without)).len(), 1, "{line:?}");
        }
        // With an effect it is one.
        let line = ["--crop", "2", "--crop-border", "reflect"];
        assert_eq!(config(&line[..2]).differing_flags(&config(&line)).len(), 1);
    }

    #[test]
    fn the_flags_of_an_old_checkpoint_are_read_and_checked_as_on_a_command_line() {
        // As in format 1 on its first day.
        let old = json!({
            "augment": true, "batch_size": 24, "dropout": 0.5, "ema": null, "epochs": 2, "limit": null, "lr": 0.001,
            "momentum": null, "no_fusion": false, "normalize": false, "optimizer": "adam", "patience": null,
            "schedule": "constant", "seed": 42, "val": 0, "weight_decay": 0.0001,
        });
        let line = [
            "descent",
            "train",
            "--augment",
            "--batch-size",
            "24",
            "--epochs",
            "2",
            "--lr",
            "0.001",
            "--val",
            "0",
        ];
        let Command::Train(args) = Cli::parse_from(line).command() else { unreachable!() };
        let mut expected = args.settings;
        expected.limit_by = Some(LimitFlag::First);
        assert_eq!(config(old.clone()).settings().unwrap(), expected);
        for (name, wrong) in [("batch_size", json!(0)), ("lr", json!("fast")), ("unknown", json!(1))] {
            let mut flags = old.clone();
            flags[name] = wrong;
            assert!(config(flags).settings().is_err(), "{name}");
        }
    }
}
