//! Building the drivers and communicating with a running one.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use bench_protocol::{Hello, Opened, Ran, Work};
use serde::de::DeserializeOwned;

use super::contender::{Condition, Contender};

/// How each contender is started.
#[derive(Debug)]
pub(super) struct Garage {
    programs: BTreeMap<Contender, PathBuf>,
    python: Option<PathBuf>,
    pytorch: PathBuf,
    cifar: PathBuf,
}

impl Garage {
    /// Builds our driver and, if requested, those of the other frameworks.
    ///
    /// # Errors
    /// If something does not build, or PyTorch is requested and no interpreter has it.
    pub(super) fn build(
        root: &Path,
        wanted: &[Contender],
        python: Option<&Path>,
        before: Option<&Path>,
        cifar: PathBuf,
    ) -> Result<Self> {
        let is_pytorch = |c: &Contender| c.pytorch_mode().is_some();
        let python = match wanted.iter().any(is_pytorch) {
            true => Some(find_python(root, python)?),
            false => None,
        };
        let ours = built(root, &root.join("Cargo.toml"), &["--package", "benches", "--bin", "ours"])?;
        let packages = [
            (Contender::Descent, "ours"),
            (Contender::Burn, "peer-burn"),
            (Contender::Candle, "peer-candle"),
            (Contender::Ndarray, "peer-ndarray"),
        ];
        let others = packages[1..].iter().any(|(contender, _)| wanted.contains(contender));
        // Built in one call, because they share crates and their features.
        let peers = match others {
            true => built(root, &root.join("benches/peers/Cargo.toml"), &["--locked"])?,
            false => Vec::new(),
        };
        let named =
            |name: &str| ours.iter().chain(&peers).find(|p| p.file_stem().is_some_and(|stem| stem == name));
        let mut programs: BTreeMap<_, _> =
            packages.into_iter().filter_map(|(c, name)| Some((c, named(name)?.clone()))).collect();
        programs.extend(before.map(|program| (Contender::DescentBefore, program.to_owned())));
        Ok(Self { programs, python, pytorch: root.join("benches/peers/pytorch.py"), cifar })
    }

    /// Starts a driver.
    ///
    /// # Errors
    /// If it does not start or does not identify itself.
    pub(super) fn start(&self, contender: Contender, condition: Condition) -> Result<Driver> {
        let mut command = match contender.pytorch_mode() {
            Some(mode) => {
                let mut command = Command::new(self.python.as_ref().context("PyTorch was not asked for")?);
                command.arg(&self.pytorch).args(["--mode", mode]);
                command
            }
            None => Command::new(self.programs.get(&contender).context("the driver was not built")?),
        };
        command.arg("--cifar").arg(&self.cifar).envs(condition.environment());
        Driver::start(contender, &mut command)
    }
}

/// Finds the interpreter that has PyTorch.
fn find_python(root: &Path, given: Option<&Path>) -> Result<PathBuf> {
    let own = super::setup::interpreter(root);
    let python = given.unwrap_or(&own);
    ensure!(
        python.exists(),
        "no Python with PyTorch at {}: make it with `cargo xtask bench --setup`, or name one with --python",
        python.display()
    );
    Ok(python.to_owned())
}

/// Builds in the release profile; returns the programs it made.
fn built(root: &Path, manifest: &Path, arguments: &[&str]) -> Result<Vec<PathBuf>> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--release", "--message-format=json-render-diagnostics", "--manifest-path"]);
    command.arg(manifest).args(arguments).current_dir(root).stderr(Stdio::inherit());
    let output = command.output().context("cannot run cargo")?;
    ensure!(output.status.success(), "building {} failed", manifest.display());
    let messages = String::from_utf8(output.stdout)?;
    let executables = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    Ok(executables.collect())
}

/// A running driver; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Driver {
    contender: Contender,
    child: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    /// Its answer to `hello`.
    pub hello: Hello,
}

impl Driver {
    /// Starts a driver and asks for its identity.
    ///
    /// # Errors
    /// If it does not start or does not answer.
    pub(super) fn start(contender: Contender, command: &mut Command) -> Result<Self> {
        let name = command.get_program().display().to_string();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let requests = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("the driver has no output")?);
        let hello = Hello { peer: String::new(), version: String::new(), threads: 0 };
        let mut driver = Self { contender, child, requests, answers, hello };
        driver.hello = driver.ask("hello")?;
        Ok(driver)
    }

    /// Prepares a work; returns false if the framework does not have it.
    ///
    /// # Errors
    /// If the driver fails.
    pub(super) fn open(&mut self, work: Work, size: usize) -> Result<bool> {
        match self.ask::<Opened>(&format!("open {work} {size}")) {
            Ok(answer) => Ok(answer.opened),
            // The driver was built before this work existed.
            Err(error) if error.to_string().contains("no such work") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Runs steps of the open work.
    ///
    /// # Errors
    /// If the driver fails.
    pub(super) fn run(&mut self, n_steps: usize) -> Result<Ran> {
        self.ask(&format!("run {n_steps}"))
    }

    /// The process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    fn ask<T: DeserializeOwned>(&mut self, request: &str) -> Result<T> {
        let mut line = String::new();
        let requests = self.requests.as_mut().context("the driver has no input")?;
        let asked = writeln!(requests, "{request}").and_then(|()| requests.flush());
        let answered = asked.and_then(|()| self.answers.read_line(&mut line));
        let name = self.contender.label();
        if !answered.is_ok_and(|n_bytes| n_bytes > 0) {
            bail!("{name} ended at `{request}`: {}", self.child.wait()?);
        }
        let answer: serde_json::Value = serde_json::from_str(&line)
            .with_context(|| format!("{name} answered `{request}` by {line:?}"))?;
        if let Some(error) = answer["error"].as_str() {
            bail!("{name} failed at `{request}`: {error}");
        }
        serde_json::from_value(answer).with_context(|| format!("{name} answered `{request}` by {line:?}"))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A driver exits when its input ends.
        drop(self.requests.take());
        _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Driver> {
        Driver::start(Contender::Burn, Command::new("sh").args(["-c", script]))
    }

    const HELLO: &str = r#"read l; echo '{"peer":"x","version":"1","threads":2}'; "#;

    #[test]
    fn a_driver_is_asked_and_answers() -> Result<()> {
        let script = r#"read l; echo '{"opened":true}'; read l; echo "{\"seconds\":${l#run }}""#;
        let mut driver = shell(&format!("{HELLO}{script}"))?;
        assert_eq!(driver.hello.version, "1");
        assert!(driver.open(Work::CnnTrain, 64)?);
        assert_eq!(driver.run(7)?.seconds, 7.0);
        Ok(())
    }

    #[test]
    fn a_driver_from_before_a_work_does_not_do_it() -> Result<()> {
        let mut driver =
            shell(&format!("{HELLO}read l; echo '{{\"error\":\"no such work: `x`; there are y\"}}'"))?;
        assert!(!driver.open(Work::CnnTrain, 64)?);
        Ok(())
    }

    #[test]
    fn a_driver_that_fails_or_ends_is_named() -> Result<()> {
        let mut driver =
            shell(&format!("{HELLO}read l; echo '{{\"error\":\"no such file\"}}'; read l; exit 3"))?;
        let failed = driver.open(Work::CnnTrain, 64).unwrap_err().to_string();
        assert_eq!(failed, "burn (flex) failed at `open cnn-train 64`: no such file");
        let ended = driver.run(1).unwrap_err().to_string();
        assert_eq!(ended, "burn (flex) ended at `run 1`: exit status: 3");
        Ok(())
    }
}
