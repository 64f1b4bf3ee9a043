//! Batches prepared on another thread: the same bits, errors and panics handed over, no hang.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use data::{
    Augment, Batch, Dataset, Error, ImageShape, InMemory, Loader, Normalize, Position, Prefetch, Transform,
};

fn small_set(n: usize) -> InMemory {
    let shape = ImageShape { height: 6, width: 5, channels: 3 };
    let images = (0..n * shape.len()).map(|i| (i * 89 + i / 256) as u8).collect();
    InMemory::new(shape, images, (0..n as u32).map(|i| i % 2).collect(), ["a", "b"])
}

fn loader(set: &dyn Dataset) -> Loader<'_> {
    let normalize = Normalize { mean: vec![0.5; 3], std: vec![0.2; 3] };
    let list = [Transform::Augment(Augment::flip_and_crop(2)), Transform::Rotate { degrees: 20.0 }];
    Loader::new(set, 16).shuffle(4).transform(list, 5).normalize(&normalize)
}

#[test]
fn the_batches_and_the_places_are_the_loaders() {
    let set = small_set(70);
    let mut plain = loader(&set);
    let mut ahead = loader(&set);
    for loader in [&mut plain, &mut ahead] {
        loader.seek(Position { epoch: 3, step: 2 }).unwrap();
    }
    std::thread::scope(|scope| {
        let mut ahead = Prefetch::new(scope, ahead);
        let (mut batch, mut other) = (Batch::new(), Batch::new());
        for _ in 0..20 {
            assert_eq!(ahead.position(), plain.position());
            let more = plain.next_into(&mut batch).unwrap();
            assert_eq!(ahead.next_into(&mut other).unwrap(), more);
            assert!(!more || batch == other);
        }
    });
}

#[test]
fn it_may_be_dropped_at_any_time() {
    let set = small_set(70);
    for n_batches in 0..8 {
        std::thread::scope(|scope| {
            let mut batches = Prefetch::new(scope, loader(&set));
            let mut batch = Batch::new();
            for _ in 0..n_batches {
                batches.next_into(&mut batch).unwrap();
            }
        });
    }
}

/// A set that fails, or panics, when it is told to.
struct Troubled {
    images: InMemory,
    fails: AtomicBool,
    n_checks_until_panic: AtomicUsize,
}

impl Troubled {
    fn new(fails: bool, n_checks_until_panic: usize) -> Self {
        Self { images: small_set(70), fails: fails.into(), n_checks_until_panic: n_checks_until_panic.into() }
    }
}

impl Dataset for Troubled {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn image_shape(&self) -> ImageShape {
        self.images.image_shape()
    }

    fn class_names(&self) -> &[String] {
        self.images.class_names()
    }

    fn image(&self, image_idx: usize) -> &[u8] {
        self.images.image(image_idx)
    }

    fn label(&self, image_idx: usize) -> u32 {
        self.images.label(image_idx)
    }

    fn check(&self) -> Result<(), Error> {
        assert!(self.n_checks_until_panic.fetch_sub(1, Ordering::Relaxed) > 0, "the disk is on fire");
        let fails = self.fails.load(Ordering::Relaxed);
        if fails { Err(Error::CutShort { path: "x".into(), expected: 2, found: 1 }) } else { Ok(()) }
    }
}

#[test]
fn an_error_reaches_the_caller_and_passes() {
    let set = Troubled::new(true, usize::MAX);
    std::thread::scope(|scope| {
        let mut batches = Prefetch::new(scope, loader(&set));
        let mut batch = Batch::new();
        let message = batches.next_into(&mut batch).unwrap_err().to_string();
        assert_eq!(message, "x: truncated while in use, from 2 to 1 bytes");
        assert_eq!(batches.position(), Position::default());
        set.fails.store(false, Ordering::Relaxed);
        // What was tried meanwhile may have failed as well.
        let n_failed = (0..10).take_while(|_| batches.next_into(&mut batch).is_err()).count();
        assert!(n_failed <= 2, "{n_failed}");
        assert_eq!(batches.position(), Position { epoch: 0, step: 1 });
    });
}

#[test]
#[should_panic(expected = "the disk is on fire")]
fn a_panic_reaches_the_caller() {
    let set = Troubled::new(false, 3);
    std::thread::scope(|scope| {
        let mut batches = Prefetch::new(scope, loader(&set));
        let mut batch = Batch::new();
        for _ in 0..3 {
            assert!(batches.next_into(&mut batch).unwrap());
        }
        let _ = batches.next_into(&mut batch);
    });
}
