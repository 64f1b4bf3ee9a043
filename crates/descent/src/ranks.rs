//! Processes that train together: the part of each, which one prints and saves, and their agreement.

use std::env;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use autograd::{Mode, Tape};
use classifier::Parts;
use classifier::output::{self, Verbosity, message};
use collective::{Collective, Joined, Traffic, World};
use data::Loader;
use sha2::{Digest, Sha256};
use tensor::SIMD_VARIABLE;
use tensor::parallel::{Exchange, Shards};

use crate::cli::{Session, Settings};
use crate::inputs::{part_of, part_with};
use crate::machine::in_pool;
use crate::signals::Stopped;

/// The default of `--rank-timeout`, in seconds.
const RANK_TIMEOUT: usize = 30;

/// Whether this process is one of those that `mpirun` started, and can wait for the others.
pub fn waits_for_others() -> bool {
    cfg!(feature = "mpi") && World::n_started().is_some()
}

/// Runs `work` in this process, alone or as one of those started by `mpirun`.
///
/// # Errors
/// As `work`, and when `--rank-timeout` is given but [nothing is waited for](waits_for_others). With several
/// processes, an error of one ends all of them.
pub fn together(session: &Session, work: impl FnOnce(&Ranks) -> Result<()> + Send) -> Result<()> {
    let timeout = session.rank_timeout.unwrap_or(RANK_TIMEOUT);
    let world = World::start(Duration::from_secs(timeout as u64))?;
    ensure!(
        session.rank_timeout.is_none() || waits_for_others(),
        "--rank-timeout needs processes that mpirun started{}; this one trains alone: leave it out",
        if cfg!(feature = "mpi") { "" } else { ", and a build with the feature mpi" }
    );
    let ranks = Ranks::new(&world);
    if !ranks.is_first() {
        output::limit_verbosity(Verbosity::Silent);
    }
    // mpirun may have bound this process to some processors already.
    let usable = thread::available_parallelism().map_or(1, usize::from);
    let hosts: Vec<&str> = (0..world.size()).map(|rank| world.collective().host(rank)).collect();
    let threads = session.threads.or_else(|| threads_per_rank(&hosts, world.rank(), processors(), usable));
    let result = in_pool(threads, || work(&ranks));
    match &result {
        Err(error) if ranks.size() > 1 && !is_agreed_stop(error) => {
            // An error that all ranks have is reported by the first only.
            if !ranks.is_first() {
                thread::sleep(Duration::from_secs(1));
            }
            ranks.collective.abort(&message(error))
        }
        _ => result,
    }
}

/// Whether all ranks stop with this one, after the same step.
fn is_agreed_stop(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Stopped>().is_some_and(|stopped| stopped.kept.is_some())
}

/// The processors of a machine, divided among its processes, but no more than are `usable`; `None` for a single
/// process, which uses all. `hosts` are the machines of all processes.
fn threads_per_rank(hosts: &[&str], rank: usize, processors: usize, usable: usize) -> Option<usize> {
    let n_neighbours = hosts.iter().filter(|&&host| host == hosts[rank]).count();
    (hosts.len() > 1).then(|| (processors / n_neighbours).clamp(1, usable))
}

#[cfg(unix)]
fn processors() -> usize {
    // SAFETY: a system query without pointers.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) }).unwrap_or(1)
}

#[cfg(not(unix))]
fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// A digest of this program's file, which tells two builds apart.
///
/// # Errors
/// When the file cannot be read.
pub fn digest_of_program() -> Result<String> {
    // Linux leads there even if the file has been replaced since the start.
    let path = if cfg!(target_os = "linux") { PathBuf::from("/proc/self/exe") } else { env::current_exe()? };
    let program = fs::read(&path).with_context(|| {
        format!("cannot read the program to compare it between ranks: {}", path.display())
    })?;
    Ok(format!("{:?}", Sha256::digest(program)))
}

/// All processes of a run, including this one.
#[derive(Clone, Debug)]
pub struct Ranks {
    collective: Arc<dyn Collective>,
    joined: Arc<Joined>,
    n_shards: Option<usize>,
}

/// Examples that all ranks compute at once, by their numbers in the step: all of a step or, with
/// `--accumulate`, a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MicroBatch {
    /// Those of all ranks.
    pub all: Range<usize>,
    /// Those of this rank.
    pub own: Range<usize>,
}

/// The state at the end of a step that all ranks agree on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// The signal that asks the run to stop, received by any rank.
    pub signal: Option<i32>,
    /// Whether a checkpoint is due by rank 0's clock.
    pub is_due: bool,
}

impl Ranks {
    /// The processes of `world`.
    pub fn new(world: &World) -> Self {
        Self { collective: world.collective().clone(), joined: world.exchange(), n_shards: None }
    }

    /// This process alone, regardless of any others.
    pub fn alone() -> Self {
        Self::new(&World::single())
    }

    /// The same processes, with batches cut into this many shards.
    pub fn in_shards(self, n_shards: Option<usize>) -> Self {
        Self { n_shards, ..self }
    }

    /// The number of processes.
    pub fn size(&self) -> usize {
        self.collective.size()
    }

    /// Whether this process prints and writes.
    pub fn is_first(&self) -> bool {
        self.collective.rank() == 0
    }

    /// A tape whose sums over the batch are those of all ranks.
    pub fn tape(&self) -> Tape {
        match self.size() {
            1 => Tape::new(),
            _ => Tape::new().exchange(self.joined.clone()),
        }
    }

    /// `mode` for a batch of `n_images`, of which this process may have a part.
    pub fn mode(&self, mode: Mode, n_images: usize) -> Mode {
        let mode = mode.of_images(n_images);
        match self.n_shards {
            Some(n_shards) => mode.in_shards(n_shards),
            None => mode,
        }
    }

    /// Micro-batch `part` of `n_parts` of a step on `n_examples`.
    pub fn micro_batch(&self, n_examples: usize, part: usize, n_parts: usize) -> MicroBatch {
        let all = part_of(n_examples, part, n_parts);
        let own = self.shards(all.len()).images();
        MicroBatch { own: all.start + own.start..all.start + own.end, all }
    }

    /// A loader that reads what this rank needs to train on a batch: the images it computes, those they are
    /// mixed with, and with `--hardest` all, since any may be among the hardest.
    pub fn training_loader<'a>(&self, loader: Loader<'a>, settings: &Settings) -> Loader<'a> {
        if self.size() == 1 || settings.hardest.is_some() {
            return loader;
        }
        let (ranks, accumulate) = (self.clone(), settings.accumulate);
        let is_mixed = settings.mixup().is_some() || settings.cutmix().is_some();
        loader.part(move |n| {
            let (ranks, n_parts) = (ranks.clone(), accumulate.min(n));
            let is_own = move |number: usize| {
                ranks.micro_batch(n, part_with(number, n, n_parts), n_parts).own.contains(&number)
            };
            (0..n).filter(move |&number| is_own(number) || is_mixed && is_own(n - 1 - number))
        })
    }

    /// The rows of the whole batch: `own` and those of the other ranks, gathered in `whole`; `row_len` numbers
    /// for each image.
    pub fn gather<'a>(
        &self,
        own: &'a [f32],
        whole: &'a mut Vec<f32>,
        n_images: usize,
        row_len: usize,
    ) -> &'a [f32] {
        if self.size() == 1 {
            return own;
        }
        let shards = self.shards(n_images);
        let images = shards.images();
        // Each rank adds its rows to zeros.
        whole.clear();
        whole.resize(n_images * row_len, 0.0);
        whole[images.start * row_len..images.end * row_len].copy_from_slice(own);
        self.joined.join(&shards, whole);
        whole
    }

    /// The sum of the ranks' counts over a batch of `n_images`.
    pub fn sum(&self, count: usize, n_images: usize) -> usize {
        let mut sum = [count as f64];
        self.joined.join_f64(&self.shards(n_images), &mut sum, &|into, from| into[0] += from[0]);
        sum[0] as usize
    }

    /// Agrees on whether the run stops or saves; all ranks get the same result.
    pub fn agree(&self, own: Agreed) -> Agreed {
        if self.size() == 1 {
            return own;
        }
        // A signal takes precedence over the clock, which is rank 0's.
        let is_due = self.is_first() && own.is_due;
        let agreed = self.collective.largest(i64::from(own.signal.unwrap_or(0)) << 1 | i64::from(is_due));
        Agreed { signal: Some((agreed >> 1) as i32).filter(|&signal| signal != 0), is_due: agreed & 1 == 1 }
    }

    /// The text of the first rank that has one; all ranks get it.
    pub fn first_text(&self, own: Option<String>) -> Option<String> {
        match self.size() {
            1 => own,
            _ => self.collective.first_text(own.as_deref()),
        }
    }

    /// Checks that these values are the same on all ranks.
    ///
    /// # Errors
    /// Names the first that differs, and its machine.
    pub fn check_same(&self, things: &[(String, String)]) -> Result<()> {
        for (thing, text) in things {
            // The same number of bytes from each rank.
            let digest = keyed_random::hash_name(text).to_le_bytes();
            if let Some(rank) = self.collective.first_to_differ(&digest) {
                bail!(
                    "rank {rank} on {} has a different {thing} from rank 0 on {}: all ranks must have the same \
                     program, flags, instruction set ({SIMD_VARIABLE} can lower it), images and weights",
                    self.collective.host(rank),
                    self.collective.host(0)
                );
            }
        }
        Ok(())
    }

    /// The cost of exchanging sums since the start.
    pub fn traffic(&self) -> Traffic {
        self.joined.traffic()
    }

    /// The number of shards of a batch of this many images.
    pub fn n_shards(&self, n_images: usize) -> usize {
        self.shards(n_images).n_shards()
    }

    fn shards(&self, n_images: usize) -> Shards<'_> {
        let shards = match self.n_shards {
            Some(n_shards) => Shards::with_count(n_images, n_shards),
            None => Shards::whole(n_images),
        };
        shards.exchanging(&*self.joined)
    }
}

/// A batch to evaluate: each rank has the images of its shards.
impl Parts for Ranks {
    fn loader<'a>(&self, loader: Loader<'a>) -> Loader<'a> {
        if self.size() == 1 {
            return loader;
        }
        let ranks = self.clone();
        loader.part(move |n_images| ranks.shards(n_images).images())
    }

    fn eval_mode(&self, n_images: usize) -> Mode {
        self.mode(Mode::eval(), n_images)
    }

    fn whole(&self, own: &[f32], n_images: usize, n_classes: usize) -> Vec<f32> {
        self.gather(own, &mut Vec::new(), n_images, n_classes).to_vec()
    }
}

/// What rank 0 exchanged in an epoch, in words.
pub fn in_words(Traffic { n_sums, bytes, time, time_beside }: Traffic) -> String {
    let beside = match time_beside {
        Duration::ZERO => String::new(),
        time => format!("; {:.1} s during backward", time.as_secs_f64()),
    };
    format!(
        "  communication of rank 0: {:.1} MB for {n_sums} sums, {:.1} s including waiting for others{beside}",
        bytes as f64 / 1e6,
        time.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use clap::Parser;
    use classifier::{Asking, Views, Whole};
    use collective::on_threads;
    use data::{Batch, ImageShape, InMemory};

    use super::*;
    use crate::cli::{Cli, Command};

    fn ranks(collective: Arc<dyn Collective>, n_shards: Option<usize>) -> Ranks {
        Ranks { joined: Arc::new(Joined::new(collective.clone())), collective, n_shards }
    }

    #[test]
    fn rows_are_gathered_and_counts_summed() {
        for (size, n_images, n_shards) in [(1, 5, None), (3, 20, None), (4, 7, Some(7)), (16, 3, Some(2))] {
            let whole: Vec<f32> = (0..2 * n_images).map(|i| i as f32 - 3.5).collect();
            let found = on_threads(size, |collective| {
                let ranks = ranks(collective, n_shards);
                let images = ranks.shards(n_images).images();
                let own = &whole[2 * images.start..2 * images.end];
                let gathered = ranks.gather(own, &mut Vec::new(), n_images, 2).to_vec();
                (gathered, ranks.sum(images.len(), n_images))
            });
            assert!(found.iter().all(|found| *found == (whole.clone(), n_images)), "{size} ranks: {found:?}");
        }
    }

    /// Each image of a batch is computed by one rank, which reads it, what it is mixed with, and no more.
    #[test]
    fn a_rank_reads_what_it_needs_to_train() {
        let shape = ImageShape { height: 1, width: 1, channels: 1 };
        let set = InMemory::new(shape, vec![0; 37], vec![0; 37], ["only"]);
        for (flags, n_parts, is_mixed) in [
            (&[][..], 1, false),
            (&["--accumulate", "3"], 3, false),
            (&["--mixup", "1"], 1, true),
            (&["--cutmix", "1", "--accumulate", "50"], 37, true),
        ] {
            let line = [&["descent", "train"], flags].concat();
            let Command::Train(args) = Cli::parse_from(line).command() else { unreachable!() };
            for size in [2, 3, 8] {
                let found = on_threads(size, |collective| {
                    let (ranks, mut batch) = (ranks(collective, None), Batch::new());
                    ranks
                        .training_loader(Loader::new(&set, 37), &args.settings)
                        .next_into(&mut batch)
                        .unwrap();
                    let parts = (0..n_parts).map(|part| ranks.micro_batch(37, part, n_parts).own);
                    (parts.flatten().collect::<Vec<_>>(), batch.positions().to_vec())
                });
                let mut computed: Vec<usize> = found.iter().flat_map(|(own, _)| own.clone()).collect();
                computed.sort_unstable();
                assert_eq!(computed, (0..37).collect::<Vec<_>>(), "{flags:?}, {size} ranks");
                for (own, read) in found {
                    let is_needed = |at: &usize| own.contains(at) || is_mixed && own.contains(&(36 - at));
                    assert_eq!(
                        read,
                        (0..37).filter(is_needed).collect::<Vec<_>>(),
                        "{flags:?}, {size} ranks"
                    );
                }
            }
        }
    }

    #[test]
    fn the_processors_of_a_machine_are_divided_among_its_processes() {
        for (hosts, rank, processors, usable, expected) in [
            (&["a"][..], 0, 16, 16, None),
            (&["a", "a"], 1, 16, 16, Some(8)),
            (&["a", "a", "a"], 0, 16, 16, Some(5)),
            (&["a", "b"], 1, 16, 16, Some(16)),
            // Not all machines have the same number of processes.
            (&["a", "a", "b", "a"], 0, 12, 12, Some(4)),
            (&["a", "a", "b", "a"], 2, 12, 12, Some(12)),
            // Bound to one processor; more processes than processors.
            (&["a", "a"], 0, 16, 1, Some(1)),
            (&["a", "a", "a"], 2, 2, 2, Some(1)),
        ] {
            let found = threads_per_rank(hosts, rank, processors, usable);
            assert_eq!(found, expected, "rank {rank} of {hosts:?}, {processors} processors, {usable} usable");
        }
    }

    /// The part of a rank in an evaluation, with the number of images that the rank has computed.
    struct Counted<'a> {
        ranks: &'a Ranks,
        n_own: Cell<usize>,
    }

    impl Parts for Counted<'_> {
        fn loader<'a>(&self, loader: Loader<'a>) -> Loader<'a> {
            self.ranks.loader(loader)
        }

        fn eval_mode(&self, n_images: usize) -> Mode {
            self.ranks.eval_mode(n_images)
        }

        fn whole(&self, own: &[f32], n_images: usize, n_classes: usize) -> Vec<f32> {
            self.n_own.set(self.n_own.get() + own.len() / n_classes);
            self.ranks.whole(own, n_images, n_classes)
        }
    }

    #[test]
    fn the_views_of_images_are_divided_among_the_ranks() {
        let shape = ImageShape { height: 6, width: 6, channels: 3 };
        let bytes = (0..37 * shape.len()).map(|i| (i * i % 251) as u8).collect();
        let set = InMemory::new(shape, bytes, vec![0; 37], ["a", "b", "c"]);
        let net = || {
            let net = nn::Sequential::new().add(nn::Conv2d::new(3, 8, 3)).add(nn::ReLU).add(nn::Flatten);
            nn::build(net.add(nn::Linear::new(8 * 4 * 4, 3)), 5)
        };
        let bits = |logits: Vec<f32>| logits.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        for (views, least_certain, n_computed) in [
            (Views::Plain, None, 37),
            (Views::Mirror, None, 2 * 37),
            // Five more views of the least certain half, 18.5 rounded up.
            (Views::MirrorShift, Some(0.5), 37 + 5 * 19),
        ] {
            let asking = Asking { views, least_certain, normalize: None };
            let (alone, mut params) = net();
            // Batches of 16, 16 and 5 images; of 16 and 3 for the other views of 19.
            let once = asking.logits(&alone, &mut params, &mut Tape::new(), &set, 16, &Whole).unwrap();
            let once = bits(once);
            for size in [1, 2, 3, 8] {
                let found = on_threads(size, |collective| {
                    let ranks = ranks(collective, Some(8));
                    let parts = Counted { ranks: &ranks, n_own: Cell::new(0) };
                    let (net, mut params) = net();
                    let logits = asking.logits(&net, &mut params, &mut ranks.tape(), &set, 16, &parts);
                    (bits(logits.unwrap()), parts.n_own.get())
                });
                let n_own: Vec<usize> = found.iter().map(|(_, n_own)| *n_own).collect();
                assert_eq!(n_own.iter().sum::<usize>(), n_computed, "{views:?} on {size} ranks: {n_own:?}");
                let fair = n_computed.div_ceil(size);
                assert!(n_own.iter().all(|&n_own| n_own <= 2 * fair), "{views:?} on {size} ranks: {n_own:?}");
                assert!(found.iter().all(|(logits, _)| *logits == once), "{views:?} on {size} ranks");
            }
        }
    }

    #[test]
    fn a_signal_reaches_all_and_the_clock_is_that_of_rank_0() {
        let agree = |signals: [Option<i32>; 3], dues: [bool; 3]| {
            let found = on_threads(3, |collective| {
                let rank = collective.rank();
                ranks(collective, None).agree(Agreed { signal: signals[rank], is_due: dues[rank] })
            });
            assert!(found.iter().all(|agreed| *agreed == found[0]));
            found[0]
        };
        assert_eq!(agree([None; 3], [false, true, true]), Agreed::default());
        assert_eq!(agree([None; 3], [true, false, false]), Agreed { signal: None, is_due: true });
        assert_eq!(agree([None, Some(15), None], [false; 3]), Agreed { signal: Some(15), is_due: false });
    }

    #[test]
    fn who_has_something_else_is_named() {
        let errors = on_threads(3, |collective| {
            let images = if collective.rank() == 2 { "other" } else { "these" };
            let things = [("build", "1"), ("data set", images)].map(|(a, b)| (a.to_owned(), b.to_owned()));
            ranks(collective, None).check_same(&things).unwrap_err().to_string()
        });
        for error in errors {
            assert!(
                error.starts_with("rank 2 on this machine has a different data set from rank 0"),
                "{error}"
            );
        }
    }
}
