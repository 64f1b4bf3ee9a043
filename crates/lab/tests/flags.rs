//! Every value that a flag does not take is refused with its range, before any work.

use clap::{CommandFactory, Parser};
use lab::cli::Cli;

/// Command, flag, a value that it does not take, and what it takes.
const REFUSED: &[(&str, &str, &[&str], &str)] = &[
    ("train", "--epochs", &["0", "1000001", "-1", "x"], "from 1 to 1000000"),
    ("train", "--batch-size", &["0", "-1", "1.5", ""], "at least 1"),
    ("train", "--momentum", &["1", "-0.1", "nan", "inf"], "at least 0 and below 1"),
    ("train", "--lr", &["-1", "nan", "inf", "1e39", "fast"], "from 0 to 3.4e38"),
    ("train", "--weight-decay", &["-1e-9", "nan", "1e39"], "from 0 to 3.4e38"),
    ("train", "--dropout", &["-0.1", "1.1", "nan"], "from 0 to 1"),
    ("train", "--val", &["-1", "1.5", "all"], "a whole number from 0"),
    ("train", "--patience", &["0", "-1"], "at least 1"),
    ("train", "--ema", &["1", "-0.1", "nan"], "at least 0 and below 1"),
    ("train", "--seed", &["-1", "18446744073709551616", "x"], "from 0 to 18446744073709551615"),
    ("train", "--threads", &["0", "1025", "-1"], "from 1 to 1024"),
    ("train", "--limit", &["0", "-1"], "at least 1"),
    ("train", "--checkpoint-every", &["0", "0m", "-1", "soon", "1.5h"], "a number of steps from 1"),
    ("train", "--keep", &["0", "-1"], "at least 1"),
    ("train", "--resume-with", &["mine"], "saved, flags"),
    ("train", "--on-nan", &["panic"], "stop, skip, continue"),
    ("eval", "--batch-size", &["0"], "at least 1"),
    ("eval", "--threads", &["0", "1025"], "from 1 to 1024"),
    ("predict", "--top", &["0", "-1"], "at least 1"),
];

/// Names and paths: what they take is known when they are looked up.
const LOOKED_UP: &[&str] = &["--data", "--optimizer", "--schedule", "--out", "--model"];

#[test]
fn values_out_of_range_are_refused_with_their_range() {
    for (command, flag, values, range) in REFUSED {
        for value in *values {
            let error = Cli::try_parse_from(["descent", command, &format!("{flag}={value}")]).unwrap_err();
            let message = error.to_string();
            assert!(message.contains(flag) && message.contains(range), "{command} {flag}={value}: {message}");
        }
    }
}

#[test]
fn no_flag_is_missing_from_the_table() {
    for command in ["train", "eval", "predict"] {
        let cli = <Cli as CommandFactory>::command();
        for arg in cli.find_subcommand(command).unwrap().get_arguments() {
            let Some(long) = arg.get_long() else { continue };
            let flag = format!("--{long}");
            let is_known = REFUSED.iter().any(|row| row.0 == command && row.1 == flag)
                || LOOKED_UP.contains(&flag.as_str());
            assert!(is_known || !arg.get_action().takes_values(), "{command} {flag} is not in the table");
        }
    }
}
