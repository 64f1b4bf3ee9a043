//! The plan of the benchmark: the table of works.

use bench_protocol::{ConvSize, Model, Pass, Probe, Work};

use super::contender::{Condition, Contender, Simd};
use super::operations::{CONV_BATCH, COPY_BYTES, PARAMETERS, PASSES, RULES, TENSOR_OPS};

/// One line of the plan: a work of some size under a condition, and its contenders.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Task {
    /// The work.
    pub work: Work,
    /// The size it is opened with.
    pub size: usize,
    /// Threads and instructions.
    pub condition: Condition,
    /// Our driver first.
    pub contenders: Vec<Contender>,
    /// The number of steps in a round.
    pub length: Length,
}

/// The length of a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Length {
    /// As many steps as take about this long.
    Seconds(f64),
    /// This many steps.
    Steps(usize),
}

/// The batch size of airbench94's training step, and of the step whose memory is measured.
pub(super) const AIRBENCH_BATCH: usize = 500;

/// The steps of a whole epoch of 50,000 images, for any batch size.
const EPOCH: usize = 50_000;

/// All modes of PyTorch that train or evaluate a network.
const PYTORCH: [Contender; 6] = [
    Contender::PytorchEager,
    Contender::PytorchChannelsLast,
    Contender::PytorchFused,
    Contender::PytorchCompile,
    Contender::PytorchBf16,
    Contender::PytorchBf16Compile,
];
/// Those with full precision and without a compiler.
const PLAIN: [Contender; 3] =
    [Contender::PytorchEager, Contender::PytorchChannelsLast, Contender::PytorchFused];
const OTHERS: [Contender; 2] = [Contender::Burn, Contender::Candle];
const OPTIMIZERS: [Contender; 3] =
    [Contender::PytorchEager, Contender::PytorchForeach, Contender::PytorchFused];
const CONVOLUTIONS: [Contender; 2] = [Contender::PytorchEager, Contender::PytorchChannelsLast];
const TENSORS: [Contender; 2] = [Contender::PytorchEager, Contender::Ndarray];

/// The drivers that ours is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Against {
    /// Alone.
    Nobody,
    /// The other frameworks.
    Peers,
    /// Our own driver at an earlier commit.
    Before {
        /// With AVX-512, everything is measured once more without it.
        has_avx512: bool,
    },
}

/// The requested part of the plan.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The main works, in short rounds.
    pub quick: bool,
    /// Only works with this in their names.
    pub only: Option<&'a str>,
    /// Only this number of threads.
    pub threads: Option<usize>,
    /// Without PyTorch's compiled modes.
    pub no_compile: bool,
    /// Without PyTorch's modes in bf16.
    pub no_bf16: bool,
}

/// The tasks in the order in which they run: one condition after the other, so that drivers live long.
pub(super) fn plan(n_cores: usize, against: Against, wanted: Wanted<'_>) -> Vec<Task> {
    let mut tasks = if wanted.quick { quick_tasks(n_cores) } else { all_tasks(n_cores) };
    tasks.retain(|task| wanted.only.is_none_or(|part| task.work.to_string().contains(part)));
    tasks.retain(|task| wanted.threads.is_none_or(|threads| task.condition.threads == threads));
    let takes_part = |contender: &Contender| {
        !(wanted.no_compile && contender.is_compiled() || wanted.no_bf16 && contender.is_bf16())
    };
    tasks.iter_mut().for_each(|task| task.contenders.retain(takes_part));
    match against {
        Against::Peers => {}
        Against::Nobody => tasks.iter_mut().for_each(|task| task.contenders.truncate(1)),
        Against::Before { has_avx512 } => {
            tasks.retain(|task| !matches!(task.work, Work::Probe(_)) && task.condition.simd == Simd::Native);
            // Covers both code paths of a processor that has more than AVX2.
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

/// One thread, and all cores if there are more.
fn thread_counts(n_cores: usize) -> Vec<usize> {
    if n_cores == 1 { vec![1] } else { vec![1, n_cores] }
}

fn quick_tasks(n_cores: usize) -> Vec<Task> {
    let all = [&PYTORCH[..], &OTHERS].concat();
    let mut tasks = vec![
        task(Work::CnnTrain, 64, n_cores, &all),
        task(Work::CnnTrain, 16, n_cores, &PLAIN),
        task(Work::CnnTrain, 256, n_cores, &PLAIN),
        task(Work::CnnInfer, 64, n_cores, &all),
        task(Work::MlpTrain, 64, n_cores, &all),
        task(Work::TinyTrain, 1, n_cores, &all),
    ];
    if n_cores > 1 {
        tasks.push(task(Work::CnnTrain, 64, 1, &PLAIN));
        tasks.push(task(Work::CnnInfer, 64, 1, &PLAIN));
    }
    tasks.extend(thread_counts(n_cores).into_iter().flat_map(|threads| models(threads, true)));
    tasks.iter_mut().for_each(|task| task.length = Length::Seconds(0.15));
    tasks.push(Task { length: Length::Steps(50), ..task(Work::CnnEpoch, 64, n_cores, &PLAIN[..1]) });
    tasks
}

/// The larger networks, in all of PyTorch's modes.
fn models(threads: usize, quick: bool) -> Vec<Task> {
    let both = [Pass::Train, Pass::Infer];
    let of = |model, size| both.map(|pass| task(Work::Model(model, pass), size, threads, &PYTORCH));
    let mut tasks = [
        of(Model::Airbench94, AIRBENCH_BATCH),
        of(Model::ResNet18, 64),
        of(Model::Depthwise, 64),
        of(Model::Transformer, 16),
    ]
    .concat();
    if !quick {
        // The batch size of its recipe.
        tasks.push(task(Work::Model(Model::Airbench94, Pass::Train), 2000, threads, &PYTORCH));
    }
    tasks
}

fn all_tasks(n_cores: usize) -> Vec<Task> {
    let mut tasks = Vec::new();
    let all = [&PYTORCH[..], &OTHERS].concat();
    for threads in thread_counts(n_cores) {
        tasks.push(task(Work::Probe(Probe::Fma), 1000, threads, &[]));
        tasks.push(task(Work::Probe(Probe::Copy), COPY_BYTES, threads, &[]));
        tasks.push(task(Work::CnnTrain, 64, threads, &all));
        tasks.push(task(Work::CnnTrain, 16, threads, &PYTORCH));
        tasks.push(task(Work::CnnTrain, 256, threads, &PYTORCH));
        tasks.push(task(Work::CnnInfer, 64, threads, &all));
        tasks.push(task(Work::MlpTrain, 64, threads, &all));
        tasks.push(task(Work::TinyTrain, 1, threads, &all));
        for rule in RULES {
            tasks.extend(PARAMETERS.map(|n| task(Work::Optimizer(rule), n, threads, &OPTIMIZERS)));
        }
        tasks.extend(models(threads, false));
        tasks.extend(convolutions(threads));
    }
    tasks.push(Task {
        length: Length::Steps(EPOCH),
        ..task(
            Work::CnnEpoch,
            64,
            n_cores,
            &[Contender::PytorchEager, Contender::PytorchFused, Contender::PytorchBf16],
        )
    });
    tasks.extend(TENSOR_OPS.map(|(op, size)| task(Work::Tensor(op), size, 1, &TENSORS)));
    // More threads than cores must not break anything.
    tasks.push(task(Work::CnnTrain, 64, 2 * n_cores, &[Contender::PytorchEager]));
    let trained = thread_counts(n_cores).into_iter().map(|threads| (Work::CnnTrain, threads));
    for (work, threads) in trained.chain([(Work::CnnInfer, n_cores)]) {
        let mut narrow = task(work, 64, threads, &PLAIN);
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

    const ALL: Wanted<'_> =
        Wanted { quick: false, only: None, threads: None, no_compile: false, no_bf16: false };

    #[test]
    fn no_task_is_there_twice_and_we_take_part_in_each() {
        for (quick, n_cores) in [(false, 2), (true, 2), (false, 1), (true, 1)] {
            let tasks = plan(n_cores, Against::Peers, Wanted { quick, ..ALL });
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
        let tasks = plan(2, Against::Nobody, Wanted { only: Some("optimizer"), threads: Some(2), ..ALL });
        assert!(!tasks.is_empty());
        for task in tasks {
            assert!(matches!(task.work, Work::Optimizer(_)), "{task:?}");
            assert_eq!((task.contenders.len(), task.condition.threads), (1, 2));
        }
    }

    #[test]
    fn a_larger_network_meets_all_modes_of_pytorch() {
        let wanted = Wanted { quick: true, only: Some("airbench94"), ..ALL };
        let tasks = plan(2, Against::Peers, wanted);
        assert_eq!(tasks.len(), 4, "training and inference, on one thread and on two: {tasks:?}");
        let compiled =
            |tasks: &[Task]| tasks.iter().filter(|t| t.contenders.iter().any(|c| c.is_compiled())).count();
        assert_eq!(compiled(&tasks), 4);
        assert!(tasks.iter().all(|task| PYTORCH.iter().all(|mode| task.contenders.contains(mode))));
        assert_eq!(compiled(&plan(2, Against::Peers, Wanted { no_compile: true, ..wanted })), 0);
        let f32_only = plan(2, Against::Peers, Wanted { no_bf16: true, ..wanted });
        assert_eq!(compiled(&f32_only), 4);
        assert!(!f32_only.iter().any(|task| task.contenders.iter().any(|c| c.is_bf16())));
        let all = plan(2, Against::Peers, Wanted { quick: false, ..wanted });
        assert!(all.iter().any(|task| task.size == 2000));
    }

    #[test]
    fn an_earlier_driver_does_the_same_works_on_both_instruction_sets() {
        let one = plan(2, Against::Before { has_avx512: false }, ALL);
        let both = plan(2, Against::Before { has_avx512: true }, ALL);
        assert_eq!(both.len(), 2 * one.len());
        for task in &both {
            assert_eq!(task.contenders, [Contender::Descent, Contender::DescentBefore]);
            assert!(!matches!(task.work, Work::Probe(_)));
        }
    }
}
