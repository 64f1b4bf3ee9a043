//! The flags for checkpoints: `--checkpoint-every` and `--resume-with`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use serde::{Serialize, Serializer};

/// How often a checkpoint is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointEvery {
    /// At the end of each epoch.
    Epoch,
    /// After this many steps.
    Steps(u64),
    /// After the first step that ends this long after the last checkpoint.
    Time(Duration),
}

impl FromStr for CheckpointEvery {
    type Err = String;

    /// `epoch`, a number of steps, or a time: `30s`, `10m`, `2h`.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || {
            "expected `epoch`, a number of steps (at least 1), or a time such as 30s, 10m or 2h".to_owned()
        };
        let (digits, seconds) = match text.as_bytes().last() {
            _ if text == "epoch" => return Ok(Self::Epoch),
            Some(b's') => (&text[..text.len() - 1], 1),
            Some(b'm') => (&text[..text.len() - 1], 60),
            Some(b'h') => (&text[..text.len() - 1], 3600),
            _ => (text, 0),
        };
        let n = digits.parse::<u32>().ok().filter(|&n| n > 0).ok_or_else(expected)?;
        Ok(match seconds {
            0 => Self::Steps(n.into()),
            _ => Self::Time(Duration::from_secs(u64::from(n) * seconds)),
        })
    }
}

impl fmt::Display for CheckpointEvery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epoch => f.write_str("epoch"),
            Self::Steps(n) => write!(f, "{n}"),
            Self::Time(time) => write!(f, "{}s", time.as_secs()),
        }
    }
}

impl Serialize for CheckpointEvery {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The settings of a resumed run if the checkpoint's differ from the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ResumeWith {
    /// The checkpoint's.
    Saved,
    /// The command line's.
    Flags,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_times_and_epochs_are_told_apart() {
        let parse = |text: &str| text.parse::<CheckpointEvery>();
        assert_eq!(parse("epoch"), Ok(CheckpointEvery::Epoch));
        assert_eq!(parse("500"), Ok(CheckpointEvery::Steps(500)));
        assert_eq!(parse("30s"), Ok(CheckpointEvery::Time(Duration::from_secs(30))));
        assert_eq!(parse("10m"), Ok(CheckpointEvery::Time(Duration::from_secs(600))));
        assert_eq!(parse("2h"), Ok(CheckpointEvery::Time(Duration::from_secs(7200))));
        for wrong in ["", "0", "0s", "-1", "m", "10 m", "1.5h", "ten", "99999999999", "1é"] {
            assert!(parse(wrong).unwrap_err().contains("30s, 10m or 2h"), "{wrong}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for every in [
            CheckpointEvery::Epoch,
            CheckpointEvery::Steps(7),
            CheckpointEvery::Time(Duration::from_secs(90)),
        ] {
            assert_eq!(every.to_string().parse(), Ok(every));
        }
    }
}
