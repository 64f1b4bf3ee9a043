//! The loop of a driver: requests in, answers out.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::Work;

/// A framework that can be asked for work.
pub trait Driver {
    /// Who answers.
    fn hello(&self) -> Hello;

    /// Makes the work ready; `None` if this framework does not do it.
    ///
    /// # Errors
    /// If the data cannot be read or the framework fails.
    fn open(&mut self, work: Work, size: usize) -> Result<Option<Box<dyn Worker>>>;
}

/// Work that is ready.
pub trait Worker {
    /// Does `n_steps` steps, and times what belongs to them with the `timer`.
    ///
    /// # Errors
    /// If the data cannot be read or the framework fails.
    fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran>;
}

/// The answer to `hello`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The framework, and its mode if it has several.
    pub peer: String,
    /// Its version.
    pub version: String,
    /// The threads it uses.
    pub threads: usize,
}

/// The answer to `open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// False if this framework does not do the work.
    pub opened: bool,
}

/// The answer to `run`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// The time of the steps; filled in by [`serve`] from the timer.
    pub seconds: f64,
    /// The mean loss of the last step, where the work has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// The images that went by, for an epoch, where the last batch is short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<usize>,
}

/// Adds up the time of what it is asked to time, so that making a batch ready need not count.
#[derive(Debug, Default)]
pub struct Timer {
    total: Duration,
}

impl Timer {
    /// Runs `work` and adds its time.
    pub fn time<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = work();
        self.total += start.elapsed();
        result
    }
}

/// The folder given by the driver's one argument, `--cifar FOLDER`.
///
/// # Errors
/// If the arguments are others.
pub fn cifar_folder() -> Result<PathBuf> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [name, folder] if name == "--cifar" => Ok(folder.into()),
        _ => bail!("expected `--cifar FOLDER`, the folder of data_batch_1.bin, and found {arguments:?}"),
    }
}

#[derive(Serialize)]
struct Failed {
    error: String,
}

/// Answers requests until `requests` ends. A request that fails is answered by its error.
///
/// # Errors
/// If a request cannot be read or an answer not written.
pub fn serve(driver: &mut dyn Driver, requests: impl BufRead, mut answers: impl Write) -> Result<()> {
    let mut worker = None;
    for line in requests.lines() {
        let answer = match answer(driver, &mut worker, &line.context("cannot read a request")?) {
            Ok(answer) => answer,
            Err(error) => serde_json::to_string(&Failed { error: format!("{error:#}") })?,
        };
        writeln!(answers, "{answer}").and_then(|()| answers.flush()).context("cannot answer")?;
    }
    Ok(())
}

fn answer(driver: &mut dyn Driver, worker: &mut Option<Box<dyn Worker>>, line: &str) -> Result<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    Ok(match words[..] {
        ["hello"] => serde_json::to_string(&driver.hello())?,
        ["open", work, size] => {
            // What was open goes first: two works need not fit into memory together.
            *worker = None;
            *worker = driver.open(work.parse()?, size.parse().context("the size is no number")?)?;
            serde_json::to_string(&Opened { opened: worker.is_some() })?
        }
        ["run", n_steps] => {
            let n_steps = n_steps.parse().context("the number of steps is no number")?;
            let worker = worker.as_mut().context("nothing is open")?;
            let mut timer = Timer::default();
            let ran = worker.run(n_steps, &mut timer)?;
            serde_json::to_string(&Ran { seconds: timer.total.as_secs_f64(), ..ran })?
        }
        _ => bail!("`{line}` is none of `hello`, `open <work> <size>`, `run <steps>`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sleeper;

    impl Driver for Sleeper {
        fn hello(&self) -> Hello {
            Hello { peer: "sleeper".to_owned(), version: "1.2.3".to_owned(), threads: 2 }
        }

        fn open(&mut self, work: Work, size: usize) -> Result<Option<Box<dyn Worker>>> {
            if size == 0 {
                bail!("a batch of no images");
            }
            Ok((work == Work::CnnTrain).then(|| Box::new(Self) as Box<dyn Worker>))
        }
    }

    impl Worker for Sleeper {
        fn run(&mut self, n_steps: usize, timer: &mut Timer) -> Result<Ran> {
            for _ in 0..n_steps {
                timer.time(|| std::thread::sleep(Duration::from_millis(2)));
            }
            Ok(Ran { loss: Some(0.5), ..Ran::default() })
        }
    }

    fn talk(requests: &str) -> Vec<serde_json::Value> {
        let mut answers = Vec::new();
        serve(&mut Sleeper, requests.as_bytes(), &mut answers).expect("the loop goes to its end");
        let text = String::from_utf8(answers).expect("answers are text");
        text.lines().map(|line| serde_json::from_str(line).expect("an answer is JSON")).collect()
    }

    #[test]
    fn a_conversation() {
        let answers = talk("hello\nopen cnn-train 64\nrun 3\nopen mlp-train 64\n");
        assert_eq!(answers[0], serde_json::json!({"peer": "sleeper", "version": "1.2.3", "threads": 2}));
        assert_eq!(answers[1], serde_json::json!({"opened": true}));
        let ran: Ran = serde_json::from_value(answers[2].clone()).expect("an answer to `run`");
        assert!(ran.seconds >= 0.006, "three sleeps of 2 ms took {} s", ran.seconds);
        assert_eq!((ran.loss, ran.items), (Some(0.5), None));
        assert_eq!(answers[3], serde_json::json!({"opened": false}));
    }

    #[test]
    fn a_failed_request_is_answered_and_the_next_one_served() {
        let answers = talk("run 1\nopen cnn-train 0\nopen knitting 3\nwhat\nrun\nhello\n");
        let errors: Vec<_> = answers[..5].iter().map(|a| a["error"].as_str().expect("an error")).collect();
        assert_eq!(errors[0], "nothing is open");
        assert_eq!(errors[1], "a batch of no images");
        assert!(errors[2].contains("knitting") && errors[2].contains("cnn-train"), "{}", errors[2]);
        assert!(errors[3].contains("`what`") && errors[4].contains("`run`"));
        assert_eq!(answers[5]["peer"], "sleeper");
    }
}
