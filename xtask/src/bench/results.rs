//! The results file of a run: the machine, the versions, every raw round.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bench_protocol::Work;
use serde::{Deserialize, Serialize};

use super::contender::{Contender, Simd};
use super::stats::Spread;

/// The version of the file format that this program writes and reads.
pub const FORMAT: u32 = 1;

/// The results of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`FORMAT`].
    pub format: u32,
    /// The date, such as 2026-11-23.
    pub date: String,
    /// The commit, with a `+` if files had changed.
    pub revision: String,
    /// The machine it ran on.
    pub machine: Machine,
    /// The kind of run.
    pub run: RunKind,
    /// `cifar-10`, or `synthetic` without the real images.
    pub data: String,
    /// The contenders with their versions.
    pub versions: BTreeMap<Contender, String>,
    /// The rounds.
    pub measurements: Vec<Measurement>,
    /// The AMX throughput during the rounds of a task, in millions of floating-point operations, if there is
    /// AMX.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amx_peak: Vec<Measurement>,
    /// The memory use.
    pub memory: Vec<Memory>,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Its family and model, since the name may say little.
    pub family: String,
    /// Hardware threads.
    pub cores: usize,
    /// The vector instructions it has.
    pub simd: Vec<String>,
    /// Main memory.
    pub memory_bytes: u64,
    /// Kernel and its version.
    pub system: String,
    /// The compiler.
    pub rustc: String,
}

/// The options of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RunKind {
    /// Whether other frameworks took part.
    pub peers: bool,
    /// Whether it was short.
    pub quick: bool,
    /// Rounds of each driver.
    pub rounds: u32,
}

/// One contender at one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The work's name.
    pub work: String,
    /// Its size.
    pub size: usize,
    /// The driver's threads.
    pub threads: usize,
    /// The driver's instructions.
    pub simd: Simd,
    /// The contender.
    pub contender: Contender,
    /// In order of time; round k of each contender ran beside round k of the others.
    pub rounds: Vec<Round>,
}

/// One turn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// The items processed: images, parameters, elements.
    pub items: usize,
    /// The time they took.
    pub seconds: f64,
}

impl Round {
    /// Items per second.
    pub fn rate(&self) -> f64 {
        self.items as f64 / self.seconds
    }
}

/// The memory of one contender.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// The contender.
    pub contender: Contender,
    /// The work's name.
    pub work: String,
    /// Its size.
    pub size: usize,
    /// The driver's threads.
    pub threads: usize,
    /// The number of measured steps.
    pub steps: usize,
    /// Anonymous memory before the work was opened: the interpreter, the libraries.
    pub start_bytes: u64,
    /// Its peak.
    pub peak_bytes: u64,
}

impl Memory {
    /// Whether both are of the same contender and work.
    fn is_of_the_same(&self, other: &Self) -> bool {
        let key = |memory: &Self| (memory.contender, memory.work.clone(), memory.size, memory.threads);
        key(self) == key(other)
    }
}

/// What makes two measurements comparable.
pub type Task<'a> = (&'a str, usize, usize, Simd);

impl Measurement {
    /// Work, size, threads and instructions.
    pub fn task(&self) -> Task<'_> {
        (&self.work, self.size, self.threads, self.simd)
    }

    /// Items per second, one number per round.
    pub fn rates(&self) -> Vec<f64> {
        self.rounds.iter().map(Round::rate).collect()
    }

    /// The spread of [`Self::rates`]; `None` without rounds.
    pub fn spread(&self) -> Option<Spread> {
        Spread::of(&self.rates())
    }
}

impl Results {
    /// Checks that `newer` results can be merged with these.
    ///
    /// # Errors
    /// If they come from different machines, revisions, data or kinds of run.
    pub fn check_origin(&self, newer: &Self) -> Result<()> {
        let origin = |results: &Self| {
            let Results { revision, machine, run, data, .. } = results;
            format!("{revision} on {}, {} cores, {data}, {run:?}", machine.cpu, machine.cores)
        };
        ensure!(
            self.machine == newer.machine && origin(self) == origin(newer),
            "parts of one run have one origin: {} is there, {} is new",
            origin(self),
            origin(newer)
        );
        Ok(())
    }

    /// Merges these results with `newer` ones of other works; if both have a task, the newer counts.
    ///
    /// # Errors
    /// As [`Self::check_origin`].
    pub fn with(mut self, newer: Self) -> Result<Self> {
        self.check_origin(&newer)?;
        let is_new = |old: &Measurement| newer.measurements.iter().any(|new| new.task() == old.task());
        self.measurements.retain(|old| !is_new(old));
        self.amx_peak.retain(|old| !is_new(old));
        self.measurements.extend(newer.measurements);
        self.amx_peak.extend(newer.amx_peak);
        self.memory.retain(|old| !newer.memory.iter().any(|new| new.is_of_the_same(old)));
        self.memory.extend(newer.memory);
        self.versions.extend(newer.versions);
        Ok(Self { date: newer.date, ..self })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, is not a results file, or has another format.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let results: Self = serde_json::from_str(&text)
            .with_context(|| format!("{} is not a file of benchmark results", path.display()))?;
        ensure!(
            results.format == FORMAT,
            "{} has format {}, this program reads {FORMAT}",
            path.display(),
            results.format
        );
        for measurement in &results.measurements {
            let known = measurement.work.parse::<Work>();
            known.with_context(|| format!("{} holds an unknown work", path.display()))?;
        }
        Ok(results)
    }

    /// Writes a file, whole or not at all, creating its folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let text = serde_json::to_string_pretty(self)? + "\n";
        atomic_file::write(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
    }

    /// `benches/results/<date>-<cpu>.json`; the name marks a short run, or one of ours alone.
    pub fn default_path(&self) -> PathBuf {
        let words: Vec<_> = self
            .machine
            .cpu
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let cpu = words.join("-").to_lowercase();
        let quick = if self.run.quick { "-quick" } else { "" };
        let alone = if self.run.peers { "" } else { "-ours" };
        let name = format!("{}-{cpu}-{}c{quick}{alone}.json", self.date, self.machine.cores);
        Path::new("benches/results").join(name)
    }

    /// The measured tasks, each once, in the order of the file.
    pub fn tasks(&self) -> Vec<Task<'_>> {
        let mut tasks = Vec::new();
        for measurement in &self.measurements {
            if !tasks.contains(&measurement.task()) {
                tasks.push(measurement.task());
            }
        }
        tasks
    }

    /// One contender at one task.
    pub fn find(&self, task: Task<'_>, contender: Contender) -> Option<&Measurement> {
        self.measurements.iter().find(|m| m.task() == task && m.contender == contender)
    }

    /// How many times faster we are than `contender`, round by round.
    pub fn ratio(&self, task: Task<'_>, contender: Contender) -> Option<Spread> {
        let (ours, theirs) = (self.find(task, Contender::Descent)?, self.find(task, contender)?);
        Spread::of_ratios(&ours.rates(), &theirs.rates())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Sample results: at `cnn-train` we process `ours` images per second and PyTorch 100, in three rounds
    /// each.
    pub(crate) fn sample(ours: [f64; 3]) -> Results {
        let measurement = |contender, rates: [f64; 3]| Measurement {
            work: "cnn-train".to_owned(),
            size: 64,
            threads: 2,
            simd: Simd::Native,
            contender,
            rounds: rates.map(|rate| Round { items: 640, seconds: 640.0 / rate }).into(),
        };
        let versions = [(Contender::Descent, "0.1.0"), (Contender::PytorchEager, "2.15.0")];
        Results {
            format: FORMAT,
            date: "2026-11-23".to_owned(),
            revision: "0123456789ab".to_owned(),
            machine: Machine {
                cpu: "ACME  Core(TM) 7".to_owned(),
                family: "1/2".to_owned(),
                cores: 2,
                simd: vec!["avx512f".to_owned()],
                memory_bytes: 24 << 30,
                system: "Linux 6.1".to_owned(),
                rustc: "rustc 1.95.0".to_owned(),
            },
            run: RunKind { peers: true, quick: false, rounds: 3 },
            data: "synthetic".to_owned(),
            versions: versions.map(|(c, version)| (c, version.to_owned())).into(),
            measurements: vec![
                measurement(Contender::Descent, ours),
                measurement(Contender::PytorchEager, [100.0, 80.0, 120.0]),
            ],
            amx_peak: Vec::new(),
            memory: vec![Memory {
                contender: Contender::Descent,
                work: "cnn-train".to_owned(),
                size: 64,
                threads: 2,
                steps: 100,
                start_bytes: 1 << 20,
                peak_bytes: 50 << 20,
            }],
        }
    }

    #[test]
    fn parts_of_one_run_join_and_the_newer_counts() {
        let whole = || sample([300.0; 3]);
        let mut other = sample([600.0; 3]);
        other.measurements.iter_mut().for_each(|m| m.size = 16);
        let joined = whole().with(other).expect("one origin");
        assert_eq!(joined.tasks().len(), 2);
        assert_eq!(joined.measurements.len(), 4);
        assert_eq!(joined.memory, whole().memory);
        let mut of_another_work = sample([300.0; 3]);
        of_another_work.memory[0].work = "airbench94-train".to_owned();
        assert_eq!(whole().with(of_another_work).expect("one origin").memory.len(), 2);
        assert_eq!(whole().with(sample([600.0; 3])).expect("one origin"), sample([600.0; 3]));
        for change in [
            |r: &mut Results| r.revision = "another".to_owned(),
            |r: &mut Results| r.machine.cores = 4,
            |r: &mut Results| r.run.quick = true,
        ] {
            let mut stranger = whole();
            change(&mut stranger);
            assert!(whole().with(stranger).unwrap_err().to_string().contains("one origin"));
        }
    }

    #[test]
    fn a_file_reads_back_as_written() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("deep/results.json");
        let results = sample([400.0, 320.0, 360.0]);
        results.write(&path)?;
        assert_eq!(Results::read(&path)?, results);
        Ok(())
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let results = sample([400.0, 320.0, 360.0]);
        let ratio = results.ratio(results.tasks()[0], Contender::PytorchEager).expect("both were measured");
        assert_eq!([ratio.median, ratio.min, ratio.max].map(|r| (r * 1e9).round() / 1e9), [4.0, 3.0, 4.0]);
        assert_eq!(results.ratio(results.tasks()[0], Contender::Burn), None);
    }

    #[test]
    fn the_path_names_day_machine_and_kind() {
        let mut results = sample([1.0; 3]);
        assert_eq!(results.default_path(), Path::new("benches/results/2026-11-23-acme-core-tm-7-2c.json"));
        results.run = RunKind { peers: false, quick: true, rounds: 3 };
        assert!(results.default_path().to_string_lossy().ends_with("-2c-quick-ours.json"));
    }

    #[test]
    fn other_files_are_refused_by_name() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("results.json");
        fs::write(&path, "{}")?;
        let error = format!("{:#}", Results::read(&path).unwrap_err());
        assert!(error.contains("results.json is not a file of benchmark results"), "{error}");
        let mut results = sample([1.0; 3]);
        results.format = 99;
        results.write(&path)?;
        assert!(Results::read(&path).unwrap_err().to_string().contains("has format 99"));
        Ok(())
    }
}
