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

/// What a step on several processes costs: `latency` seconds for each message, `per_byte` seconds for each byte, and
/// `repeated`, the share of a whole step that every process computes again, such as the update of the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cost {
    pub(super) latency: f64,
    pub(super) per_byte: f64,
    pub(super) repeated: f64,
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
    pub(super) fn unseen(self) -> Option<String> {
        let costs = [
            (self.latency, "a message"),
            (self.per_byte, "a byte"),
            (self.repeated, "what every process computes again"),
        ];
        let unseen: Vec<_> = costs.iter().filter(|(cost, _)| *cost == 0.0).map(|(_, what)| *what).collect();
        (!unseen.is_empty()).then(|| unseen.join(" and of "))
    }

    /// The costs, not negative, whose relative errors have the least squares for these points.
    pub(super) fn fitted(points: &[Point]) -> Self {
        let mut costs = [0.0; 3];
        // One after another is set to what is best beside the others, which leads to what is best of all.
        for _ in 0..MAX_ROUNDS {
            let before = costs;
            for i in 0..costs.len() {
                let (mut product, mut square) = (0.0, 0.0);
                for point in points {
                    let others: f64 =
                        (0..costs.len()).filter(|&j| j != i).map(|j| costs[j] * point.costs[j]).sum();
                    product += point.costs[i] * (point.excess - others) / point.seconds.powi(2);
                    square += (point.costs[i] / point.seconds).powi(2);
                }
                costs[i] = if square > 0.0 { (product / square).max(0.0) } else { 0.0 };
            }
            if before == costs {
                break;
            }
        }
        let [latency, per_byte, repeated] = costs;
        Self { latency, per_byte, repeated }
    }
}

/// Rounds of the fit, which needs about a thousand.
const MAX_ROUNDS: usize = 100_000;

/// The share of a step by which two runs of the same may differ.
const NOISE: f64 = 0.05;

/// A time to fit.
pub(super) struct Point {
    /// How often the step has each cost: messages and bytes that follow one another, and seconds of which a share
    /// is computed again.
    pub(super) costs: [f64; 3],
    /// The seconds that the costs are to explain: those beyond computing that is divided.
    pub(super) excess: f64,
    /// Seconds of the whole step.
    pub(super) seconds: f64,
}

impl Point {
    /// Whether less time was taken than for computing, by more than noise: one of the runs was disturbed.
    pub(super) fn is_impossible(&self) -> bool {
        self.excess < -NOISE * self.seconds
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

    /// Seconds of computing on some of this machine's cores if all of it is divided, and the seconds that repeating
    /// the whole step on each of them would add.
    pub(super) fn computing(&self, ranks: usize, cores: usize) -> [f64; 2] {
        let share = largest_share(self.network.batch_size, SHARDS, ranks).max(1.0 / cores as f64);
        let alone = self.times[0].1;
        [alone * share, alone * (crowding(ranks, cores) - share)]
    }

    /// Seconds per step on machines like this one with links of so many Gbit/s: of computing and of
    /// communication, in which adding and copying take the seconds of `here` for each byte besides the link's. If
    /// `grows`, the batch grows with the number of machines.
    pub(super) fn predicted(&self, machines: usize, link: u32, here: Cost, grows: bool) -> [f64; 2] {
        let batch_size = self.network.batch_size;
        let share = match grows {
            true => machines as f64 * largest_share(machines * batch_size, MAX_SHARDS, machines),
            false => largest_share(batch_size, MAX_SHARDS, machines),
        };
        let per_byte = 8e-9 / f64::from(link) + here.per_byte;
        let cost = Cost { latency: NETWORK_LATENCY, per_byte, ..here };
        let communication = if machines == 1 { 0.0 } else { cost.seconds(self.in_turn(machines)) };
        [self.seconds * (share + here.repeated * (1.0 - share)), communication]
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
