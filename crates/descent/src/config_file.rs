//! `--config FILE`: flags from a TOML file, or from the `config.json` of a run, which flags on the command
//! line override; and the flags of a recipe, which both override.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use anyhow::{Context, Result, bail, ensure};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, CommandFactory, Parser};
use classifier::tip;
use foreign_text::{Foreign, shown_path};
use serde::Deserializer;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::cli::{Cli, Command, TrainArgs};
use crate::flags::{recipe, words_of_recipe};
use crate::harmless::{harmless, shortened};
use crate::left_out::leave_out;
use crate::ranks::waits_for_others;

/// The commands that take `--config`.
const COMMANDS: [&str; 2] = ["train", "find-lr"];

/// The key under which a run records its own properties, besides its flags.
pub const RUN: &str = "run";

/// The file in a run's folder that records it.
const RECORD: &str = "config.json";

/// Flags in a run's record that belong to that run only: a repeated run has a separate folder, starts from
/// scratch, and prints what its own command line asks for.
const OF_ONE_RUN: [&str; 5] = ["out", "resume", "resume_with", "config", "json"];

/// Flags that only print something; a file cannot set them.
const QUESTIONS: [&str; 2] = ["help", "version"];

/// Flags of all commands that say how much is printed. Those on the command line replace the ones of a file.
const AMOUNTS: [&str; 2] = ["quiet", "verbose"];

/// The flags besides which `--out DIR --resume` continues a run as its record says.
const WITH_RESUME: [&str; 13] = [
    "out",
    "resume",
    "resume-with",
    "json",
    "quiet",
    "verbose",
    "threads",
    "rank-timeout",
    "checkpoint-every",
    "keep",
    "on-nan",
    "detect-anomaly",
    "watch-test",
];

/// The largest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// The program's words, with the flags of a recipe, of a file and of the environment in them. `variable` returns a
/// variable of the environment by its name.
///
/// # Errors
/// When the file or the environment is wrong; a [`clap::Error`] when the words are, or ask for help.
pub fn parse(
    words: impl IntoIterator<Item = OsString>,
    variable: fn(&str) -> Option<OsString>,
) -> Result<Cli> {
    let Expanded { words, left_out, is_record } = expanded(words)?;
    let mut cli = Cli::try_parse_from(&words).map_err(|error| harmless(error, &words))?;
    let command = cli.command.get_or_insert_with(Command::default);
    if !is_record {
        command.add_environment(variable)?;
    }
    match command {
        Command::Train(args) => args.session.left_out = left_out,
        Command::FindLr(args) => args.train.session.left_out = left_out,
        _ => {}
    }
    Ok(cli)
}

/// A command line with the flags of its recipe and of its file.
#[derive(Debug, Default)]
pub struct Expanded {
    /// All words; its own come last, so that they take precedence.
    pub words: Vec<OsString>,
    /// The flags of the recipe or the file that were left out, since later ones leave no effect to them.
    pub left_out: Vec<String>,
    /// Whether the file is the record of a run, to which the environment adds nothing.
    pub is_record: bool,
}

/// The words of a command line, preceded by those of its recipe and of its `--config`. A run that is resumed
/// without further flags has those of its record.
///
/// # Errors
/// When the file cannot be read, is neither TOML nor JSON, or contains something that is not a flag of the
/// command; when it records a run of another recipe than the command line names.
pub fn expanded(words: impl IntoIterator<Item = OsString>) -> Result<Expanded> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let mut left_out = Vec::new();
    let Some(at) = words.iter().position(|word| COMMANDS.iter().any(|command| word == command)) else {
        return Ok(Expanded { words, ..Expanded::default() });
    };
    let command = words[at].to_string_lossy().into_owned();
    let (mut before, mut is_record) = (Vec::new(), false);
    let mut named = value_of("--recipe", &words[at + 1..]);
    let file = value_of("--config", &words[at + 1..]).map(PathBuf::from);
    if let Some(path) = file.or_else(|| record_to_resume(&command, &words[at + 1..])) {
        let path = &*path;
        let flags;
        (flags, is_record) = self::flags(path, &command)?;
        check_values(path, &command, &flags)?;
        before = flags.into_iter().map(OsString::from).collect();
        if words.iter().any(says_how_much) {
            before.retain(|word| !says_how_much(word));
        }
        let recorded = value_of("--recipe", &before);
        if !is_record {
            named = named.or(recorded);
        } else if let Some(other) = named.as_ref().filter(|name| recorded.as_ref() != Some(*name)) {
            // The record of a run has a value for nearly every flag, those of its recipe too.
            bail!(
                "--recipe {}: {} records a run without this recipe, and its flags would override its own: \
                 leave out one of the two",
                Foreign::new(&other.to_string_lossy()),
                shown_path(path)
            );
        }
    }
    // An unknown name is rejected with a list of recipes when the words are parsed.
    if let Some(text) = named.as_ref().and_then(|name| recipe(name.to_str()?)) {
        let mut of_recipe: Vec<OsString> = words_of_recipe(text).map(OsString::from).collect();
        left_out.extend(leave_out(&command, &mut of_recipe, &before, false));
        before.splice(0..0, of_recipe);
    }
    if !before.is_empty() {
        left_out.extend(leave_out(&command, &mut before, &words[at + 1..], is_record));
    }
    words.splice(at + 1..at + 1, before);
    Ok(Expanded { words, left_out, is_record })
}

/// The record of the run that the words resume, if they say no more about it than its folder.
fn record_to_resume(command: &str, words: &[OsString]) -> Option<PathBuf> {
    let flags = words.iter().filter_map(|word| word.to_str()?.strip_prefix("--"));
    let names: Vec<&str> = flags.map(|flag| flag.split_once('=').map_or(flag, |(name, _)| name)).collect();
    let says_no_more = names.contains(&"resume") && names.iter().all(|name| WITH_RESUME.contains(name));
    let record = Path::new(&value_of("--out", words)?).join(RECORD);
    (command == "train" && says_no_more && record.is_file()).then_some(record)
}

/// Checks the values in a file by themselves, so that an error names the file.
fn check_values(path: &Path, command: &str, words: &[String]) -> Result<()> {
    let line = ["descent", command].into_iter().chain(words.iter().map(String::as_str));
    match Cli::try_parse_from(line) {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) => {
            let text = error.to_string();
            let text = text.split("\n\nFor more information").next().unwrap_or_default();
            let text: Vec<&str> = text.trim_start_matches("error: ").split_whitespace().collect();
            bail!("{}: {}", shown_path(path), shortened(&text.join(" ")))
        }
        _ => Ok(()),
    }
}

/// The value of the last `--flag VALUE` or `--flag=VALUE`.
fn value_of(flag: &str, words: &[OsString]) -> Option<OsString> {
    let mut found = None;
    for (at, word) in words.iter().enumerate() {
        if word == "--" {
            break;
        }
        if word == flag {
            found = words.get(at + 1).cloned();
        } else if let Some(value) = word.to_str().and_then(|word| word.strip_prefix(flag)?.strip_prefix('='))
        {
            found = Some(value.into());
        }
    }
    found
}

/// Whether a word is `-q`, `-v` or the whole name of one of the two.
fn says_how_much(word: &OsString) -> bool {
    let Some(word) = word.to_str() else { return false };
    let is_short = |letters: &str| letters.chars().all(char::is_alphabetic) && letters.contains(['q', 'v']);
    match word.strip_prefix("--") {
        Some(name) => AMOUNTS.contains(&name),
        None => word.strip_prefix('-').is_some_and(is_short),
    }
}

/// The flags in a file, as words of a command line, and whether it is the record of a run.
fn flags(path: &Path, command: &str) -> Result<(Vec<String>, bool)> {
    let named = || shown_path(path);
    let cli = <Cli as CommandFactory>::command();
    let known = cli.find_subcommand(command).expect("it is a command");
    let all = match read(path)? {
        Value::Object(all) => all,
        _ => bail!("{}: expected an object that maps flags to values", named()),
    };
    let is_record = all.contains_key(RUN);
    let mut words = Vec::new();
    let mut spellings = BTreeMap::new();
    for (name, value) in &all {
        let id = name.replace('-', "_");
        if let Some(other) = spellings.insert(id.clone(), name) {
            bail!("{}: a setting is given twice, as {other} and as {name}", named());
        }
        // How long a run waited for its other processes says nothing to one that has none.
        let is_of_others = id == "rank_timeout" && !waits_for_others();
        if is_record && (name == RUN || OF_ONE_RUN.contains(&&*id) || is_of_others) {
            continue;
        }
        let flag = format!("--{}", id.replace('_', "-"));
        ensure!(id != "config", "{}: a file of settings cannot name another (config)", named());
        ensure!(
            !QUESTIONS.contains(&&*id),
            "{}: {id} belongs to the command line ({flag}), not to the settings",
            named()
        );
        if AMOUNTS.contains(&&*id) {
            match value {
                Value::Bool(true) => words.push(flag),
                Value::Bool(false) => {}
                _ => bail!("{}: {flag}: expected true or false", named()),
            }
            continue;
        }
        let arg = known.get_arguments().find(|arg| arg.get_long() == Some(&flag[2..]));
        let arg = arg.with_context(|| {
            let tip = tip(&flag[2..], known.get_arguments().filter_map(Arg::get_long));
            format!("{}: {command} has no flag {}{tip}", named(), Foreign::new(&flag))
        })?;
        match value {
            // Switches that a recipe turns on can be turned off.
            Value::Bool(false) if arg.get_action().takes_values() => words.push(format!("{flag}=false")),
            value => {
                let repeats = matches!(arg.get_action(), ArgAction::Append);
                add(&mut words, &flag, value, repeats).with_context(named)?;
            }
        }
    }
    if is_record && !all.contains_key("limit_by") && all.get("limit").is_some_and(|limit| !limit.is_null()) {
        // Before there was a choice, the first images were taken.
        words.push("--limit-by=first".to_owned());
    }
    Ok((words, is_record))
}

/// Adds a flag with its value. The values of a list are given one by one to a flag that `repeats`, and
/// separated by commas to another.
fn add(words: &mut Vec<String>, flag: &str, value: &Value, repeats: bool) -> Result<()> {
    match value {
        Value::Null | Value::Bool(false) => {}
        Value::Bool(true) => words.push(flag.to_owned()),
        Value::String(text) => words.push(format!("{flag}={text}")),
        Value::Number(number) => words.push(format!("{flag}={number}")),
        Value::Array(values) => {
            let texts = values.iter().map(|value| match value {
                Value::String(text) => Ok(text.clone()),
                Value::Number(number) => Ok(number.to_string()),
                _ => bail!("{flag}: expected a list of finite numbers or of texts"),
            });
            let texts = texts.collect::<Result<Vec<String>>>()?;
            match repeats {
                true => words.extend(texts.iter().map(|text| format!("{flag}={text}"))),
                false if texts.is_empty() => {}
                false => words.push(format!("{flag}={}", texts.join(","))),
            }
        }
        Value::Object(_) => bail!("{flag}: expected a value, found a table"),
    }
    Ok(())
}

/// The values in a file, which may be given by the folder of a run.
fn read(path: &Path) -> Result<Value> {
    let path = &*if path.is_dir() { path.join(RECORD) } else { path.to_owned() };
    let named = || format!("cannot read the settings in {}", shown_path(path));
    let metadata = fs::metadata(path).with_context(named)?;
    ensure!(
        metadata.is_file() && metadata.len() <= MAX_BYTES,
        "{}: expected a file of at most 1 MiB",
        named()
    );
    let text = fs::read_to_string(path).with_context(named)?;
    if path.extension().is_some_and(|ending| ending == "json") {
        check_keys(&text).and_then(|()| serde_json::from_str(&text)).with_context(named)
    } else {
        let all: Value = toml::from_str(&text).with_context(named)?;
        // TOML has no null: it stands for a number that JSON cannot hold.
        if let Some((flag, _)) = all.as_object().into_iter().flatten().find(|(_, value)| value.is_null()) {
            let flag = flag.replace('_', "-");
            bail!(
                "{}: --{}: expected a finite number, found nan or inf",
                shown_path(path),
                Foreign::new(&flag)
            );
        }
        Ok(all)
    }
}

/// Rejects an object with the same key twice, of which JSON's reader keeps the last.
fn check_keys(text: &str) -> serde_json::Result<()> {
    struct Keys;
    impl<'de> Visitor<'de> for Keys {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            let mut known = BTreeSet::new();
            while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                let shown = Foreign::new(&key).to_string();
                if !known.insert(key) {
                    return Err(A::Error::custom(format_args!("{shown} is given twice")));
                }
            }
            Ok(())
        }
    }
    // Whatever is no object is told by its reader's caller.
    match text.trim_start().starts_with('{') {
        true => serde_json::Deserializer::from_str(text).deserialize_map(Keys),
        false => Ok(()),
    }
}

/// The flags of the run that a folder belongs to, if it is recorded there.
pub fn flags_of_run(folder: &Path) -> Option<TrainArgs> {
    let (words, is_record) = flags(&folder.join(RECORD), "train").ok()?;
    let line = ["descent", "train"].map(String::from).into_iter().chain(words);
    match Cli::try_parse_from(line).ok().filter(|_| is_record)?.command? {
        Command::Train(args) => Some(*args),
        _ => None,
    }
}

/// A text that a run records of itself, if the file is the record of a run.
pub fn of_run(path: &Path, key: &str) -> Option<String> {
    Some(read(path).ok()?.get(RUN)?.get(key)?.as_str()?.to_owned())
}

/// The file with the weights that a run began with, and its SHA-256, each or null, if the file is the record of a
/// run.
pub fn weights_of(path: &Path) -> Option<(Value, Value)> {
    let record = read(path).ok()?;
    let sha256 = record.get(RUN)?.get("weights_sha256").cloned().unwrap_or_default();
    Some((record.get("weights")?.clone(), sha256))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(file: &str, text: &str, more: &[&str]) -> Result<Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(file);
        fs::write(&path, text).unwrap();
        let words =
            ["descent", "train", "--config"].iter().map(OsString::from).chain([path.into_os_string()]);
        let words = expanded(words.chain(more.iter().map(OsString::from)))?.words;
        Ok(words[2..]
            .iter()
            .take(words.len() - 4 - more.len())
            .map(|word| word.to_str().unwrap().into())
            .collect())
    }

    #[test]
    fn flags_of_a_file_come_before_those_of_the_command_line() {
        let text = "lr = 0.01\nbatch-size = 16\naugment = true\nnormalize = false\nschedule = \"cosine\"\n";
        let words = expand("a.toml", text, &["--lr", "1"]).unwrap();
        let of_the_file =
            ["--augment", "--batch-size=16", "--lr=0.01", "--normalize=false", "--schedule=cosine"];
        assert_eq!(words, of_the_file);
        let text = "milestones = [30, 40]\ngroup = [\"head: lr=1\", \"biases: lr=2\"]\n";
        let words = expand("a.toml", text, &[]).unwrap();
        assert_eq!(words, ["--group=head: lr=1", "--group=biases: lr=2", "--milestones=30,40"]);
        assert_eq!(expanded(["descent".into(), "eval".into()]).unwrap().words.len(), 2);
    }

    /// -q and -v exclude each other.
    #[test]
    fn the_amount_of_output_is_that_of_the_command_line_if_it_says_one() {
        for (text, more, expected) in [
            ("quiet = true", &[][..], &["--quiet"][..]),
            ("verbose = true\nlr = 1", &[], &["--lr=1", "--verbose"]),
            ("quiet = false\nverbose = true", &["--epochs", "1"], &["--verbose"]),
            ("quiet = true", &["-v"], &[]),
            ("quiet = true\nlr = 1", &["--verbose"], &["--lr=1"]),
            ("verbose = true", &["-q"], &[]),
        ] {
            assert_eq!(expand("a.toml", text, more).unwrap(), expected, "{text}, {more:?}");
        }
    }

    #[test]
    fn a_runs_record_is_repeated_elsewhere() {
        let text =
            r#"{"lr": 0.1, "out": "runs/x", "resume": true, "momentum": null, "run": {"version": "1"}}"#;
        assert_eq!(expand("config.json", text, &[]).unwrap(), ["--lr=0.1"]);
        // What it prints is its own affair, and a record that lacks a flag means its old default.
        let text = r#"{"json": true, "limit": 5, "run": {}}"#;
        assert_eq!(expand("config.json", text, &[]).unwrap(), ["--limit=5", "--limit-by=first"]);
        let text = r#"{"limit": 5, "limit_by": "class", "run": {}}"#;
        assert_eq!(expand("config.json", text, &[]).unwrap(), ["--limit=5", "--limit-by=class"]);
        let text = r#"{"lr": 0.1, "rank_timeout": 60, "run": {}}"#;
        assert_eq!(expand("config.json", text, &[]).unwrap(), ["--lr=0.1"]);
        let text = r#"{"lr": 0.1, "out": "runs/x", "rank_timeout": 60}"#;
        let words = expand("config.json", text, &[]).unwrap();
        assert_eq!(words, ["--lr=0.1", "--out=runs/x", "--rank-timeout=60"]);
    }

    /// A recipe named in a file or on the command line comes first; a record already contains it.
    #[test]
    fn the_flags_of_a_recipe_come_before_all_others() {
        let recipe: Vec<String> = words_of_recipe(recipe("airbench94").unwrap()).collect();
        let of_the_file = ["--drop-last=false", "--epochs=3", "--recipe=airbench94"];
        let text = "recipe = \"airbench94\"\nepochs = 3\ndrop-last = false\n";
        let words = expand("a.toml", text, &["--lr", "1"]).unwrap();
        assert_eq!(words[..recipe.len()], recipe);
        assert_eq!(words[recipe.len()..], of_the_file);
        let words = expand("a.toml", "epochs = 3", &["--recipe", "airbench94"]).unwrap();
        assert_eq!(
            (&words[..recipe.len()], words.last().map(String::as_str)),
            (&recipe[..], Some("--epochs=3"))
        );
        let text = r#"{"recipe": "airbench94", "epochs": 3, "drop_last": false, "run": {"version": "1"}}"#;
        assert_eq!(expand("config.json", text, &[]).unwrap(), of_the_file);
        assert!(expand("config.json", text, &["--recipe", "airbench94"]).is_ok());
        let error = expand("config.json", text, &["--recipe", "airbench95"]).unwrap_err().to_string();
        assert!(error.contains("--recipe airbench95: ") && error.contains("leave out one"), "{error}");
    }

    #[test]
    fn a_run_is_resumed_by_its_folder_alone() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().to_str().unwrap();
        let expand = |words: &[&str]| {
            let words = ["descent", "train", "--out", out].into_iter().chain(words.iter().copied());
            let words = words.map(OsString::from);
            expanded(words).unwrap().words.len() - 4
        };
        assert_eq!(expand(&["--resume"]), 1);
        fs::write(dir.path().join(RECORD), r#"{"lr": 0.1, "out": "x", "run": {}}"#).unwrap();
        assert_eq!(expand(&["--resume"]), 2);
        assert_eq!(expand(&["--resume", "-q", "--threads=2", "--keep", "3"]), 6);
        assert_eq!(expand(&["--resume", "--epochs", "2"]), 3);
        assert_eq!(expand(&[]), 0);
        assert_eq!(expand(&["--config", out]), 3);
    }

    /// What has no effect in the file itself stays, to be refused.
    #[test]
    fn flags_that_the_command_line_leaves_without_effect_are_left_out() {
        let text = "tta = \"mirror\"\ntta-share = 0.5\n";
        assert_eq!(expand("a.toml", text, &[]).unwrap(), ["--tta=mirror", "--tta-share=0.5"]);
        assert_eq!(expand("a.toml", text, &["--tta", "none"]).unwrap(), ["--tta=mirror"]);
        let text = "tta-share = 0.5\nlr = 1\n";
        assert_eq!(expand("a.toml", text, &["--tta", "none"]).unwrap(), ["--lr=1", "--tta-share=0.5"]);
        let text = r#"{"group": "head: lr=1 momentum=0.5; filters: momentum=0.9", "optimizer": "sgd"}"#;
        let words = expand("config.json", text, &["--optimizer", "adam"]).unwrap();
        assert_eq!(words, ["--group=head: lr=1", "--optimizer=sgd"]);
    }

    #[test]
    fn what_is_no_flag_is_named() {
        for (file, text, expected) in [
            ("a.toml", "speed = 1", "train has no flag --speed"),
            ("a.toml", "ephocs = 1", "a.toml: train has no flag --ephocs; did you mean epochs?"),
            (
                "a.toml",
                "help = true",
                "a.toml: help belongs to the command line (--help), not to the settings",
            ),
            ("a.toml", "quiet = 1", "a.toml: --quiet: expected true or false"),
            (
                "a.toml",
                "lr = \"fast\"",
                "a.toml: invalid value 'fast' for '--lr <X>': expected a number from 0",
            ),
            ("a.toml", "augment = \"yes\"", "a.toml: invalid value 'yes' for '--augment"),
            ("a.toml", "epochs = true", "a.toml: a value is required for '--epochs <N>'"),
            ("a.toml", "batch-size = 1\nbatch_size = 2", "given twice, as batch-size and as batch_size"),
            ("a.toml", "config = \"b.toml\"", "a file of settings cannot name another"),
            ("a.toml", "[lr]\nx = 1", "--lr: expected a value, found a table"),
            ("a.toml", "lr = nan", "--lr: expected a finite number, found nan or inf"),
            ("a.toml", "milestones = [1, inf]", "--milestones: expected a list of finite numbers"),
            ("a.toml", "lr = = 1", "cannot read the settings in"),
            ("a.json", r#"{"lr": 1, "lr": 2}"#, "lr is given twice"),
            ("a.json", "[1]", "expected an object that maps flags to values"),
            ("a.json", "{", "cannot read the settings in"),
        ] {
            let error = expand(file, text, &[]).err().map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
