//! The model: what a step costs that sums are exchanged for, and what it would cost on many machines.

use tensor::parallel::{MAX_SHARDS, Shards};

use super::networks::{Network, SHARDS};

/// Seconds that a small message takes between machines: TCP over Ethernet through one switch.
const NETWORK_LATENCY: f64 = 30e-6;

/// The share of a step that backward takes, during which gradients could travel.
const BACKWARD: f64 = 2.0 / 3.0;

/// The levels of the tree over this many processes: ⌈log₂ ranks⌉.
pub(super) fn depth(ranks: usize) -> u32 {
    ranks.next_power_of_two().ilog2()
}

/// The largest share of a batch that a process computes.
pub(super) fn largest_share(batch_size: usize, n_shards: usize, ranks: usize) -> f64 {
    let whole = Shards::with_count(batch_size, n_shards);
    let largest = (0..ranks).map(|rank| whole.part(rank, ranks).images().len()).max().unwrap_or(0);
    largest as f64 / batch_size as f64
}

/// What messages cost: `latency` seconds each, and `per_byte` seconds for each byte.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    pub(super) latency: f64,
    pub(super) per_byte: f64,
}

/// Messages, and bytes, that follow one another in a step, whose sums have so many bytes: each sum goes up the
/// tree and down, and after the step the ranks agree on whether to stop or to save.
///
/// A power of two of ranks adds up large sums in halves: with 1/2, 1/4, … of the bytes on the levels of the tree,
/// in both directions at once. All bytes are taken to be those of large sums, as nearly all are.
pub(super) fn in_turn(ranks: usize, sums: f64, bytes: f64) -> [f64; 2] {
    let levels = f64::from(depth(ranks));
    let one_way = if ranks.is_power_of_two() { 1.0 - 1.0 / ranks as f64 } else { levels };
    [2.0 * levels * sums + (ranks - 1) as f64 + levels, 2.0 * one_way * bytes]
}

impl Cost {
    pub(super) fn seconds(self, [messages, bytes]: [f64; 2]) -> f64 {
        messages * self.latency + bytes * self.per_byte
    }

    /// What the times are too inexact to show, and is taken as 0.
    pub(super) fn unseen(self) -> Option<&'static str> {
        match (self.latency > 0.0, self.per_byte > 0.0) {
            (true, true) => None,
            (false, true) => Some("a message"),
            (true, false) => Some("a byte"),
            (false, false) => Some("a message and of a byte"),
        }
    }

    /// The costs, not negative, whose relative errors have the least squares for these points.
    pub(super) fn fitted(points: &[Point]) -> Self {
        let product = |i: usize, j: usize| -> f64 {
            points.iter().map(|point| point.relative(i) * point.relative(j)).sum()
        };
        let target = |i: usize| -> f64 {
            points.iter().map(|point| point.relative(i) * point.communication / point.seconds).sum()
        };
        let alone = |i: usize| if product(i, i) > 0.0 { (target(i) / product(i, i)).max(0.0) } else { 0.0 };
        let determinant = product(0, 0) * product(1, 1) - product(0, 1) * product(0, 1);
        let latency = (target(0) * product(1, 1) - target(1) * product(0, 1)) / determinant;
        let per_byte = (target(1) * product(0, 0) - target(0) * product(0, 1)) / determinant;
        if latency >= 0.0 && per_byte >= 0.0 {
            return Self { latency, per_byte };
        }
        // One of them is 0: the one without which the error is smaller.
        let error = |cost: Self| -> f64 {
            let of = |p: &Point| ((cost.seconds(p.in_turn) - p.communication) / p.seconds).powi(2);
            points.iter().map(of).sum()
        };
        let [a, b] = [Self { latency: alone(0), per_byte: 0.0 }, Self { latency: 0.0, per_byte: alone(1) }];
        if error(a) <= error(b) { a } else { b }
    }
}

/// The share of a step by which two runs of the same may differ.
const NOISE: f64 = 0.05;

/// A time to fit.
pub(super) struct Point {
    /// Messages and bytes that follow one another.
    pub(super) in_turn: [f64; 2],
    /// Seconds that they take.
    pub(super) communication: f64,
    /// Seconds of the whole step.
    pub(super) seconds: f64,
}

impl Point {
    /// Whether the communication time is negative by more than noise: one of the runs was disturbed.
    pub(super) fn is_impossible(&self) -> bool {
        self.communication < -NOISE * self.seconds
    }

    /// Messages or bytes for each second of the step.
    fn relative(&self, i: usize) -> f64 {
        self.in_turn[i] / self.seconds
    }
}

/// A network's times, and what a step of it exchanges.
pub(super) struct Subject {
    pub(super) network: &'static Network,
    /// Ranks and seconds per step, with one thread each.
    pub(super) times: Vec<(usize, f64)>,
    /// Seconds per step of one process on all cores.
    pub(super) seconds: f64,
    /// Sums of a step, and the bytes of these.
    pub(super) sums: f64,
    pub(super) bytes: f64,
}

impl Subject {
    pub(super) fn in_turn(&self, ranks: usize) -> [f64; 2] {
        in_turn(ranks, self.sums, self.bytes)
    }

    /// Seconds of computing on some of this machine's cores.
    pub(super) fn computing(&self, ranks: usize, cores: usize) -> f64 {
        self.times[0].1 * largest_share(self.network.batch_size, SHARDS, ranks).max(1.0 / cores as f64)
    }

    /// Seconds per step on machines like this one with links of so many Gbit/s: of computing and of
    /// communication, in which adding and copying take `per_byte` seconds besides the link's. If `grows`, the
    /// batch grows with the number of machines.
    pub(super) fn predicted(&self, machines: usize, link: u32, per_byte: f64, grows: bool) -> [f64; 2] {
        let batch_size = self.network.batch_size;
        let share = match grows {
            true => machines as f64 * largest_share(machines * batch_size, MAX_SHARDS, machines),
            false => largest_share(batch_size, MAX_SHARDS, machines),
        };
        let cost = Cost { latency: NETWORK_LATENCY, per_byte: 8e-9 / f64::from(link) + per_byte };
        let communication = if machines == 1 { 0.0 } else { cost.seconds(self.in_turn(machines)) };
        [self.seconds * share, communication]
    }
}

/// How much longer a message takes when more processes than cores take turns.
pub(super) fn crowding(ranks: usize, cores: usize) -> f64 {
    (ranks as f64 / cores as f64).max(1.0)
}

/// Seconds per step if all communication could run during backward.
pub(super) fn overlapped(computing: f64, communication: f64) -> f64 {
    (1.0 - BACKWARD) * computing + (BACKWARD * computing).max(communication)
}
