//! The report: what was measured beside what the model says, and its prediction, as figures and tables.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};
use tensor::parallel::MAX_SHARDS;
use viz::{Figure, Grid, Plot, Theme};

use super::model::{Cost, Point, Subject, crowding, overlapped};
use super::networks::{NETWORKS, Network, RANKS, Timed};

/// Predicted numbers of machines, and their links in Gbit/s.
const MACHINES: [usize; 7] = [1, 2, 4, 8, 16, 32, 64];
const LINKS: [u32; 3] = [1, 10, 100];

/// The times of all networks, and the cost fitted to them.
pub(super) struct Report {
    pub(super) subjects: Vec<Subject>,
    cores: usize,
    /// On this machine.
    pub(super) cost: Cost,
}

impl Report {
    /// # Errors
    /// If a run is missing, is of another machine than the rest, or took so long that others look impossible.
    pub(super) fn new(rows: &[Timed]) -> Result<Self> {
        let subjects = NETWORKS.iter().map(|network| {
            let own = || rows.iter().filter(|row| row.network == network.name);
            let time = |ranks: usize| own().find(|row| row.ranks == ranks && row.threads == 1);
            let missing = |what: &str| format!("{}: no run {what}", network.name);
            let times = RANKS.iter().map(|&ranks| {
                let row = time(ranks).with_context(|| missing(&format!("on {ranks} processes")))?;
                Ok((ranks, row.seconds))
            });
            let whole = own().filter(|row| row.ranks == 1).max_by_key(|row| row.threads);
            let two = time(2).with_context(|| missing("on 2 processes"))?;
            Ok(Subject {
                network,
                times: times.collect::<Result<_>>()?,
                seconds: whole.with_context(|| missing("on all cores"))?.seconds,
                sums: two.sums,
                // Of two ranks, each sends or receives any sum up the tree and down, whole or in halves.
                bytes: two.bytes / 2.0,
            })
        });
        let subjects: Vec<Subject> = subjects.collect::<Result<_>>()?;
        let cores = rows.first().map_or(1, |row| row.cores);
        if let Some(other) = rows.iter().find(|row| row.cores != cores) {
            bail!(
                "runs on machines of {cores} and of {} cores: time all on one, without --only",
                other.cores
            );
        }
        let mut points = Vec::new();
        for subject in &subjects {
            for &(ranks, seconds) in subject.times.iter().skip(1) {
                let [computing, repeating] = subject.computing(ranks, cores);
                let [messages, bytes] = subject.in_turn(ranks).map(|number| number * crowding(ranks, cores));
                let costs = [messages, bytes, repeating];
                let point = Point { costs, excess: seconds - computing, seconds };
                ensure!(
                    !point.is_impossible(),
                    "{name}: a step on {ranks} processes takes {seconds:.3} s, but computing alone should take \
                     {computing:.3} s according to the run on one thread ({:.3} s): something disturbed one of the \
                     two. Repeat both on a machine that does nothing else: cargo xtask scaling --only \"{name},1,1\" \
                     --only \"{name},{ranks},1\"",
                    subject.times[0].1,
                    name = subject.network.name
                );
                points.push(point);
            }
        }
        Ok(Self { cost: Cost::fitted(&points), subjects, cores })
    }

    /// What the fit could not find, as a sentence.
    pub(super) fn unseen(&self) -> Option<String> {
        let what = self.cost.unseen()?;
        Some(format!("The times are too inexact to show the cost of {what}, which is taken as 0."))
    }

    /// The [prediction](Subject::predicted) for a network.
    fn predicted(&self, subject: &Subject, machines: usize, link: u32, grows: bool) -> [f64; 2] {
        subject.predicted(machines, link, self.cost, grows)
    }

    /// Seconds per step on this machine, according to the model.
    fn here(&self, subject: &Subject, ranks: usize) -> f64 {
        if ranks == 1 {
            return subject.times[0].1;
        }
        let [computing, repeating] = subject.computing(ranks, self.cores);
        let communication = self.cost.seconds(subject.in_turn(ranks)) * crowding(ranks, self.cores);
        computing + self.cost.repeated * repeating + communication
    }

    /// The largest error of the model on this machine, as a sentence.
    fn largest_error(&self) -> String {
        let errors = self.subjects.iter().flat_map(|subject| {
            subject.times.iter().map(move |&(ranks, time)| (subject, ranks, time / self.here(subject, ranks)))
        });
        // A step of twice the time is as far off as one of half.
        let distance = |ratio: f64| ratio.ln().abs();
        let (subject, ranks, ratio) =
            errors.max_by(|a, b| distance(a.2).total_cmp(&distance(b.2))).expect("there are networks");
        format!(
            "The model is furthest off for {} on {ranks} processes, where a step takes {ratio:.2} times as long as it says.",
            subject.network.name
        )
    }

    pub(super) fn processes(&self) -> Result<String> {
        let mut figure = Figure::new(format!("Processes on {} cores", self.cores))
            .x_label("processes, one thread each")
            .y_label("seconds per step")
            .x_log()
            .y_log();
        for subject in &self.subjects {
            let (ranks, times): (Vec<f64>, Vec<f64>) =
                subject.times.iter().map(|&(ranks, time)| (ranks as f64, time)).unzip();
            let model: Vec<f64> = subject.times.iter().map(|&(ranks, _)| self.here(subject, ranks)).collect();
            figure = figure.scatter(format!("{}, measured", subject.network.name), &ranks, &times);
            figure = figure.dashed(format!("{}, model", subject.network.name), &ranks, &model);
        }
        Ok(figure.svg(Theme::Auto)?)
    }

    /// Strong and weak scaling, side by side.
    pub(super) fn machines(&self) -> Result<String> {
        let grid = Grid::new("Machines, predicted", 2).panel_size(460, 340);
        let grid = grid.panel(self.scaling("the same batch on all", false));
        Ok(grid.panel(self.scaling("a batch that grows with them", true)).svg(Theme::Auto)?)
    }

    fn scaling(&self, title: &str, grows: bool) -> Figure {
        let mut figure = Figure::new(title).x_label("machines").y_label("seconds per step").x_log().y_log();
        let machines = MACHINES.map(|machines| machines as f64);
        for subject in &self.subjects {
            for link in LINKS {
                let seconds =
                    MACHINES.map(|machines| self.predicted(subject, machines, link, grows).iter().sum());
                figure = figure.line(format!("{}, {link} Gbit/s", subject.network.name), &machines, &seconds);
            }
        }
        figure
    }

    /// The document's section.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!(
            "<!-- cargo xtask scaling -->\nProcesses of one thread each on a machine of {} cores, measured and by the \
             model. Computing takes as long as the process\nwith the most images needs, and at least as long as all \
             cores together need. Of a step, {:.1} % is computed again by\nevery process. Communication costs {:.1} µs \
             per message and {:.2} ns per byte. All this is multiplied by processes/cores\nif there are more processes \
             than cores ([the data](results/scaling/steps.csv)).\n{}\n\
             | seconds per step; processes: |",
            self.cores,
            100.0 * self.cost.repeated,
            1e6 * self.cost.latency,
            1e9 * self.cost.per_byte,
            self.unseen().map(|sentence| sentence + "\n").unwrap_or_default()
        );
        let row = |text: &mut String, name: &str, cells: &[String]| {
            writeln!(text, "| {name} | {} |", cells.join(" | ")).expect("a string takes all");
        };
        text += &RANKS.map(|ranks| format!(" {ranks} |")).concat();
        text += &format!("\n|---|{}\n", "---|".repeat(RANKS.len()));
        for subject in &self.subjects {
            let name = subject.network.name;
            let times: Vec<_> = subject.times.iter().map(|&(_, time)| digits(time)).collect();
            row(&mut text, &format!("{name}, measured"), &times);
            let model: Vec<_> =
                subject.times.iter().map(|&(ranks, _)| digits(self.here(subject, ranks))).collect();
            row(&mut text, &format!("{name}, model"), &model);
            let ratios = subject.times.iter().map(|&(ranks, time)| time / self.here(subject, ranks));
            let ratios: Vec<_> = ratios.map(|ratio| format!("{ratio:.2}")).collect();
            row(&mut text, &format!("{name}, measured/model"), &ratios);
        }
        text += &format!("\n{}\n", self.largest_error());
        text += "\n![Seconds per step by number of processes](results/scaling/processes.svg)\n";
        for subject in &self.subjects {
            let Network { name, batch_size, .. } = subject.network;
            write!(
                text,
                "\nPredicted for machines like this one, {name}: seconds per step on a batch of {batch_size} with \
                 {MAX_SHARDS} shards, and on one\nthat grows, {batch_size} per machine.\n\n| machines |"
            )
            .expect("a string takes all");
            text += &LINKS.map(|link| format!(" {link} Gbit/s |")).concat();
            text += &LINKS.map(|link| format!(" overlapped, {link} Gbit/s |")).concat();
            text += &LINKS.map(|link| format!(" growing batch, {link} Gbit/s |")).concat();
            text += &format!("\n|---|{}\n", "---|".repeat(3 * LINKS.len()));
            for machines in MACHINES {
                let predicted =
                    |grows: bool| LINKS.map(|link| self.predicted(subject, machines, link, grows));
                let cells = [
                    predicted(false).map(|[computing, communication]| computing + communication),
                    predicted(false).map(|[computing, communication]| overlapped(computing, communication)),
                    predicted(true).map(|[computing, communication]| computing + communication),
                ];
                row(
                    &mut text,
                    &machines.to_string(),
                    &cells.concat().into_iter().map(digits).collect::<Vec<_>>(),
                );
            }
        }
        text + "\n![Predicted seconds per step by number of machines](results/scaling/machines.svg)\n"
    }
}

/// Two significant digits at least.
pub(super) fn digits(seconds: f64) -> String {
    let n_digits = (1.0 - seconds.log10().floor()).clamp(0.0, 6.0);
    format!("{seconds:.0$}", n_digits as usize)
}
