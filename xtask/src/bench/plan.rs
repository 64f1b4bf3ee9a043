//! What is measured: the table of works.

use bench_protocol::{ConvSize, Probe, Work};

use super::contender::{Condition, Contender, Simd};
use super::operations::{CONV_BATCH, COPY_BYTES, PARAMETERS, PASSES, RULES, TENSOR_OPS};

/// One line of the plan: a work of a size under a condition, and who is asked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Task {
    /// What is done.
    pub work: Work,
    /// The size it is opened with.
    pub size: usize,
    /// Threads and instructions.
    pub condition: Condition,
    /// Ourselves first.
    pub contenders: Vec<Contender>,
    /// How many steps are a round.
    pub length: Length,
}

/// The length of a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Length {
    /// As many steps as take about this long.
    Seconds(f64),
    /// So many steps.
    Steps(usize),
}

/// The steps of a whole epoch of 50,000 images, whatever the batch.
const EPOCH: usize = 50_000;

const PYTORCH: [Contender; 4] = [
    Contender::PytorchEager,
    Contender::PytorchChannelsLast,
    Contender::PytorchFused,
    Contender::PytorchCompile,
];
const TRAINERS: [Contender; 6] = [
    Contender::PytorchEager,
    Contender::PytorchChannelsLast,
    Contender::PytorchFused,
    Contender::PytorchCompile,
    Contender::Burn,
    Contender::Candle,
];
const OPTIMIZERS: [Contender; 3] =
    [Contender::PytorchEager, Contender::PytorchForeach, Contender::PytorchFused];
const CONVOLUTIONS: [Contender; 2] = [Contender::PytorchEager, Contender::PytorchChannelsLast];
const TENSORS: [Contender; 2] = [Contender::PytorchEager, Contender::Ndarray];

/// Beside whom our driver is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Against {
    /// Alone.
    Nobody,
    /// The other frameworks.
    Peers,
    /// Our own driver at an earlier commit.
    Before {
        /// Where there is AVX-512, everything is measured once more without it.
        has_avx512: bool,
    },
}

/// The tasks in the order in which they are done: one condition after the other, so that drivers live long.
pub(super) fn plan(n_cores: usize, quick: bool, against: Against, only: Option<&str>) -> Vec<Task> {
    let mut tasks = if quick { quick_tasks(n_cores) } else { all_tasks(n_cores) };
    tasks.retain(|task| only.is_none_or(|part| task.work.to_string().contains(part)));
    match against {
        Against::Peers => {}
        Against::Nobody => tasks.iter_mut().for_each(|task| task.contenders.truncate(1)),
        Against::Before { has_avx512 } => {
            tasks.retain(|task| !matches!(task.work, Work::Probe(_)) && task.condition.simd == Simd::Native);
            // Both halves of the code of a processor that has more than AVX2.
            if has_avx512 {
                let mut narrow = tasks.clone();
                narrow.iter_mut().for_each(|task| task.condition.simd = Simd::Avx2);
                tasks.extend(narrow);
            }
            let both = vec![Contender::Descent, Contender::DescentBefore];
            tasks.iter_mut().for_each(|task| task.contenders.clone_from(&both));
        }
    }
    tasks.sort_by_key(|task| task.condition);
    tasks
}

fn quick_tasks(n_cores: usize) -> Vec<Task> {
    // Compiling takes longer than all the rest.
    let peers = TRAINERS.map(|c| if c == Contender::PytorchCompile { Contender::PytorchEager } else { c });
    let task = |work, size, threads, peers: &[Contender]| Task {
        length: Length::Seconds(0.15),
        ..task(work, size, threads, peers)
    };
    let mut tasks = vec![
        task(Work::CnnTrain, 64, n_cores, &peers),
        task(Work::CnnTrain, 16, n_cores, &peers[..3]),
        task(Work::CnnTrain, 256, n_cores, &peers[..3]),
        task(Work::CnnTrain, 64, 1, &peers[..3]),
        task(Work::CnnInfer, 64, n_cores, &peers),
        task(Work::CnnInfer, 64, 1, &peers[..3]),
        task(Work::MlpTrain, 64, n_cores, &peers),
        task(Work::TinyTrain, 1, n_cores, &peers),
        task(Work::CnnEpoch, 64, n_cores, &peers[..1]),
    ];
    tasks.iter_mut().filter(|t| t.work == Work::CnnEpoch).for_each(|t| t.length = Length::Steps(50));
    tasks
}

fn all_tasks(n_cores: usize) -> Vec<Task> {
    let mut tasks = Vec::new();
    for threads in if n_cores == 1 { vec![1] } else { vec![1, n_cores] } {
        tasks.push(task(Work::Probe(Probe::Fma), 1000, threads, &[]));
        tasks.push(task(Work::Probe(Probe::Copy), COPY_BYTES, threads, &[]));
        tasks.push(task(Work::CnnTrain, 64, threads, &TRAINERS));
        tasks.push(task(Work::CnnTrain, 16, threads, &PYTORCH));
        tasks.push(task(Work::CnnTrain, 256, threads, &PYTORCH));
        tasks.push(task(Work::CnnInfer, 64, threads, &TRAINERS));
        tasks.push(task(Work::MlpTrain, 64, threads, &TRAINERS));
        tasks.push(task(Work::TinyTrain, 1, threads, &TRAINERS));
        for rule in RULES {
            tasks.extend(PARAMETERS.map(|n| task(Work::Optimizer(rule), n, threads, &OPTIMIZERS)));
        }
        tasks.extend(convolutions(threads));
    }
    tasks.push(Task {
        length: Length::Steps(EPOCH),
        ..task(Work::CnnEpoch, 64, n_cores, &[Contender::PytorchEager, Contender::PytorchFused])
    });
    tasks.extend(TENSOR_OPS.map(|(op, size)| task(Work::Tensor(op), size, 1, &TENSORS)));
    // More threads than cores: nothing may break.
    tasks.push(task(Work::CnnTrain, 64, 2 * n_cores, &[Contender::PytorchEager]));
    for (work, threads) in [(Work::CnnTrain, 1), (Work::CnnTrain, n_cores), (Work::CnnInfer, n_cores)] {
        let mut narrow = task(work, 64, threads, &PYTORCH[..3]);
        narrow.condition.simd = Simd::Avx2;
        tasks.push(narrow);
    }
    tasks
}

/// The airbench network's convolutions: a batch of 2000 in eight parts.
fn convolutions(threads: usize) -> Vec<Task> {
    let mut sizes = ConvSize::AIRBENCH.to_vec();
    sizes.dedup();
    let pairs = sizes.iter().flat_map(|&size| PASSES.map(|pass| Work::Conv(pass, size)));
    pairs.map(|work| task(work, CONV_BATCH, threads, &CONVOLUTIONS)).collect()
}

fn task(work: Work, size: usize, threads: usize, peers: &[Contender]) -> Task {
    let mut contenders = vec![Contender::Descent];
    for &peer in peers {
        if !contenders.contains(&peer) {
            contenders.push(peer);
        }
    }
    let condition = Condition { threads, simd: Simd::Native };
    Task { work, size, condition, contenders, length: Length::Seconds(0.5) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_task_is_there_twice_and_we_take_part_in_each() {
        for quick in [false, true] {
            let tasks = plan(2, quick, Against::Peers, None);
            for (idx, task) in tasks.iter().enumerate() {
                assert_eq!(task.contenders[0], Contender::Descent);
                let same = |other: &Task| {
                    (other.work, other.size, other.condition) == (task.work, task.size, task.condition)
                };
                assert!(!tasks[idx + 1..].iter().any(same), "{task:?} is in the plan twice");
            }
        }
    }

    #[test]
    fn the_plan_is_filtered() {
        let tasks = plan(2, false, Against::Nobody, Some("optimizer"));
        assert!(!tasks.is_empty());
        assert!(
            tasks.iter().all(|task| matches!(task.work, Work::Optimizer(_)) && task.contenders.len() == 1)
        );
    }

    #[test]
    fn an_earlier_driver_does_the_same_works_on_both_instruction_sets() {
        let one = plan(2, false, Against::Before { has_avx512: false }, None);
        let both = plan(2, false, Against::Before { has_avx512: true }, None);
        assert_eq!(both.len(), 2 * one.len());
        for task in &both {
            assert_eq!(task.contenders, [Contender::Descent, Contender::DescentBefore]);
            assert!(!matches!(task.work, Work::Probe(_)));
        }
    }
}
