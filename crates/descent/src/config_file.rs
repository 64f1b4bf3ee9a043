//! `--config FILE`: flags from a TOML file, or from the `config.json` of a run, which flags on the command line override; and
//! the flags of a recipe, which both override.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use clap::CommandFactory;
use foreign_text::{Foreign, shown_path};
use serde_json::Value;

use crate::cli::Cli;
use crate::recipes;

/// The commands that take `--config`.
const COMMANDS: [&str; 2] = ["train", "find-lr"];

/// What a run records of itself beside its flags.
pub const RUN: &str = "run";

/// Flags of a run's record that belong to that run alone: repeated, it has a folder of its own and starts from scratch.
const OF_ONE_RUN: [&str; 4] = ["out", "resume", "resume_with", "config"];

/// The longest file that is read.
const MAX_BYTES: u64 = 1 << 20;

/// The words of a command line, those of its recipe and of its `--config` put in before its own, so that these win.
///
/// # Errors
/// When the file cannot be read, is neither TOML nor JSON, or has something that is no flag of the command.
pub fn expanded(words: impl IntoIterator<Item = OsString>) -> Result<Vec<OsString>> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let Some(at) = words.iter().position(|word| COMMANDS.iter().any(|command| word == command)) else {
        return Ok(words);
    };
    let command = words[at].to_string_lossy().into_owned();
    let (mut before, mut recipe) = (Vec::new(), None);
    if let Some(path) = value_of("--config", &words[at + 1..]) {
        let (flags, is_record) = flags(Path::new(&path), &command)?;
        before = flags.into_iter().map(OsString::from).collect();
        // The record of a run has all that its recipe came to.
        recipe = if is_record { None } else { value_of("--recipe", &before) };
    }
    let recipe = value_of("--recipe", &words[at + 1..]).or(recipe);
    // One that there is not is refused with those that there are when the words are read.
    if let Some(text) = recipe.as_ref().and_then(|name| recipes::text(name.to_str()?)) {
        before.splice(0..0, recipes::words(text).map(OsString::from));
    }
    words.splice(at + 1..at + 1, before);
    Ok(words)
}

/// What the last `--flag VALUE` or `--flag=VALUE` says.
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

/// The flags in a file, as words of a command line, and whether it is the record of a run.
fn flags(path: &Path, command: &str) -> Result<(Vec<String>, bool)> {
    let named = || shown_path(path);
    let cli = <Cli as CommandFactory>::command();
    let known = cli.find_subcommand(command).expect("it is a command");
    let all = match read(path)? {
        Value::Object(all) => all,
        _ => bail!("{}: expected flags by their names", named()),
    };
    let is_record = all.contains_key(RUN);
    let mut words = Vec::new();
    for (name, value) in &all {
        let id = name.replace('-', "_");
        if is_record && (name == RUN || OF_ONE_RUN.contains(&&*id)) {
            continue;
        }
        let flag = format!("--{}", id.replace('_', "-"));
        let arg = known.get_arguments().find(|arg| arg.get_long() == Some(&flag[2..]));
        let arg =
            arg.with_context(|| format!("{}: {command} has no flag {}", named(), Foreign::new(&flag)))?;
        match value {
            // What a recipe switches on can be switched off.
            Value::Bool(false) if arg.get_action().takes_values() => words.push(format!("{flag}=false")),
            value => add(&mut words, &flag, value).with_context(named)?,
        }
    }
    Ok((words, is_record))
}

fn add(words: &mut Vec<String>, flag: &str, value: &Value) -> Result<()> {
    match value {
        Value::Null | Value::Bool(false) => {}
        Value::Bool(true) => words.push(flag.to_owned()),
        Value::String(text) => words.push(format!("{flag}={text}")),
        Value::Number(number) => words.push(format!("{flag}={number}")),
        Value::Array(values) => values.iter().try_for_each(|value| add(words, flag, value))?,
        Value::Object(_) => bail!("{flag}: expected a value, found a table"),
    }
    Ok(())
}

fn read(path: &Path) -> Result<Value> {
    let named = || format!("cannot read the settings in {}", shown_path(path));
    let metadata = fs::metadata(path).with_context(named)?;
    ensure!(
        metadata.is_file() && metadata.len() <= MAX_BYTES,
        "{}: expected a file of at most 1 MiB",
        named()
    );
    let text = fs::read_to_string(path).with_context(named)?;
    if path.extension().is_some_and(|ending| ending == "json") {
        serde_json::from_str(&text).with_context(named)
    } else {
        toml::from_str(&text).with_context(named)
    }
}

/// The SHA-256 of the images of the run whose record this is, if it is one.
pub fn data_of(path: &Path) -> Option<String> {
    Some(read(path).ok()?.get(RUN)?.get("data_sha256")?.as_str()?.to_owned())
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
        let words = expanded(words.chain(more.iter().map(OsString::from)))?;
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
        assert_eq!(expanded(["descent".into(), "eval".into()]).unwrap().len(), 2);
    }

    #[test]
    fn a_runs_record_is_repeated_elsewhere() {
        let text =
            r#"{"lr": 0.1, "out": "runs/x", "resume": true, "momentum": null, "run": {"version": "1"}}"#;
        assert_eq!(expand("config.json", text, &[]).unwrap(), ["--lr=0.1"]);
        let text = r#"{"lr": 0.1, "out": "runs/x"}"#;
        assert_eq!(expand("config.json", text, &[]).unwrap(), ["--lr=0.1", "--out=runs/x"]);
    }

    /// A recipe that is named in a file or on the command line comes first; a record has all of it already.
    #[test]
    fn the_flags_of_a_recipe_come_before_all_others() {
        let recipe: Vec<String> = recipes::words(recipes::text("airbench94").unwrap()).collect();
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
    }

    #[test]
    fn what_is_no_flag_is_named() {
        for (file, text, expected) in [
            ("a.toml", "speed = 1", "train has no flag --speed"),
            ("a.toml", "[lr]\nx = 1", "--lr: expected a value, found a table"),
            ("a.toml", "lr = = 1", "cannot read the settings in"),
            ("a.json", "[1]", "expected flags by their names"),
            ("a.json", "{", "cannot read the settings in"),
        ] {
            let error = expand(file, text, &[]).err().map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
