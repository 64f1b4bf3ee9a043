//! Batches: what is in them, and what moves them and what does not.

use data::{
    Augment, Batch, Border, Crop, Dataset, Flip, ImageShape, InMemory, Loader, Normalize, Position, Subset,
};
use proptest::prelude::*;

const ANYTHING: Augment =
    Augment { flip: Flip::Random, crop: Some(Crop { padding: 1, border: Border::Reflect }) };

/// `n` images of three pixels by two in three channels, every byte another.
fn small_set(n: usize) -> InMemory {
    let shape = ImageShape { height: 3, width: 2, channels: 3 };
    let images = (0..n * shape.len()).map(|i| (i * 89 + i / 256) as u8).collect();
    InMemory::new(shape, images, (0..n as u32).map(|i| i % 7).collect(), ["a", "b", "c", "d", "e", "f", "g"])
}

/// All batches of the next epoch.
fn epoch(loader: &mut Loader<'_>) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut batch = Batch::new();
    while loader.next_into(&mut batch).unwrap() {
        batches.push(batch.clone());
    }
    batches
}

/// The images, labels and indices of all batches, one after the other.
fn joined(batches: &[Batch]) -> (Vec<f32>, Vec<u32>, Vec<usize>) {
    let images = batches.iter().flat_map(|batch| batch.images().to_vec()).collect();
    let labels = batches.iter().flat_map(|batch| batch.labels().to_vec()).collect();
    let indices = batches.iter().flat_map(|batch| batch.indices().to_vec()).collect();
    (images, labels, indices)
}

proptest! {
    /// Processes that read a part each see together what one sees.
    #[test]
    fn parts_of_a_batch_make_the_whole(n in 1..50usize, batch_size in 1..20usize, n_parts in 1..6usize) {
        let set = small_set(n);
        let loader = || Loader::new(&set, batch_size).shuffle(3).augment(ANYTHING, 5);
        let whole = epoch(&mut loader());
        let parts: Vec<_> = (0..n_parts)
            .map(|part| epoch(&mut loader().part(move |n| part * n / n_parts..(part + 1) * n / n_parts)))
            .collect();
        for (step, whole) in whole.iter().enumerate() {
            let of_step: Vec<Batch> = parts.iter().map(|part| part[step].clone()).collect();
            let expected = (whole.images().to_vec(), whole.labels().to_vec(), whole.indices().to_vec());
            prop_assert_eq!(joined(&of_step), expected);
            for part in of_step {
                prop_assert_eq!(part.whole_indices(), whole.indices());
                prop_assert_eq!(part.whole_labels(), whole.labels());
            }
        }
    }

    /// A part need not be a range: here from the end of the batch, and some twice.
    #[test]
    fn a_part_is_any_sequence_of_positions(n in 1..50usize, batch_size in 1..20usize, step_by in 1..4usize) {
        let set = small_set(n);
        let loader = || Loader::new(&set, batch_size).shuffle(3).augment(ANYTHING, 5);
        let positions = move |n: usize| (0..n).rev().step_by(step_by).chain([n / 2]);
        for (whole, part) in epoch(&mut loader()).iter().zip(epoch(&mut loader().part(positions))) {
            let expected: Vec<usize> = positions(whole.len()).collect();
            prop_assert_eq!(part.positions(), &expected[..]);
            for (at, position) in expected.into_iter().enumerate() {
                let image = |batch: &Batch, at: usize| batch.images()[at * batch.image_len()..][..batch.image_len()].to_vec();
                prop_assert_eq!(image(&part, at), image(whole, position));
                prop_assert_eq!(part.labels()[at], whole.labels()[position]);
                prop_assert_eq!(part.indices()[at], whole.indices()[position]);
            }
        }
    }
}

#[test]
fn planes_of_bytes_become_pixels_of_f32() {
    let shape = ImageShape { height: 1, width: 2, channels: 3 };
    let set = InMemory::new(shape, vec![0, 51, 102, 153, 204, 255], vec![0], ["only"]);
    let batch = &epoch(&mut Loader::new(&set, 64))[0];
    assert_eq!(batch.shape(), [1, 1, 2, 3]);
    assert_eq!(batch.images(), [0.0, 0.4, 0.8, 0.2, 0.6, 1.0]);
}

#[test]
fn normalisation_is_per_channel() {
    let shape = ImageShape { height: 1, width: 2, channels: 2 };
    let set = InMemory::new(shape, vec![0, 255, 51, 102], vec![0], ["only"]);
    let normalize = Normalize { mean: vec![0.5, 0.2], std: vec![0.25, 2.0] };
    let batch = &epoch(&mut Loader::new(&set, 1).normalize(&normalize))[0];
    assert_eq!(batch.images(), [-2.0, (0.2 - 0.2) / 2.0, 2.0, (0.4 - 0.2) / 2.0]);
}

#[test]
fn means_and_deviations_are_measured_per_channel() {
    let shape = ImageShape { height: 1, width: 2, channels: 2 };
    let set = InMemory::new(shape, vec![0, 255, 51, 51, 255, 0, 51, 102], vec![0; 2], ["only"]);
    let Normalize { mean, std } = Normalize::measure(&set);
    assert_eq!(mean, [0.5, 0.25]);
    assert_eq!(std, [0.5, 0.0075_f64.sqrt()]);
}

/// Whatever byte it is, also where a mean of squares less the square of the mean is not 0.
#[test]
fn a_constant_channel_becomes_zero() {
    let shape = ImageShape { height: 1, width: 3, channels: 2 };
    for byte in 0..=255 {
        let set = InMemory::new(shape, [byte, byte, byte, 0, 9, 70].repeat(3), vec![0; 3], ["only"]);
        let normalize = Normalize::measure(&set);
        assert_eq!(normalize.std[0], 1.0, "{byte}");
        let batch = &epoch(&mut Loader::new(&set, 3).normalize(&normalize))[0];
        assert!(batch.images().iter().step_by(2).all(|&value| value == 0.0), "{byte}");
    }
}

#[test]
fn one_pixel_in_a_million_is_a_spread() {
    let shape = ImageShape { height: 1_000, width: 1_000, channels: 1 };
    let mut images = vec![200; shape.len()];
    images[77] = 201;
    let normalize = Normalize::measure(&InMemory::new(shape, images, vec![0], ["only"]));
    assert!((normalize.std[0] * 255.0 - 1e-3).abs() < 1e-8, "{normalize:?}");
}

#[test]
fn an_epoch_of_cifar_has_782_batches_and_the_last_has_16_images() {
    let shape = ImageShape { height: 1, width: 1, channels: 1 };
    let (train, test) =
        ([50_000, 10_000]).map(|n| InMemory::new(shape, vec![0; n], vec![0; n], ["x"])).into();
    let sizes = |set| epoch(&mut Loader::new(set, 64)).iter().map(Batch::len).collect::<Vec<_>>();
    assert_eq!(sizes(&train), [vec![64; 781], vec![16]].concat());
    assert_eq!(sizes(&test), [vec![64; 156], vec![16]].concat());
    let mut full_only = Loader::new(&train, 64).drop_last();
    assert_eq!((full_only.n_batches(), epoch(&mut full_only).len()), (781, 781));
}

#[test]
fn an_image_is_flipped_every_other_epoch_when_flips_alternate() {
    let set = small_set(40);
    let augment = Augment { flip: Flip::Alternating, crop: None };
    let mut loader = Loader::new(&set, 40).augment(augment, 3);
    let mut plain = Loader::new(&set, 40);
    let as_is = joined(&epoch(&mut plain)).0;
    let epochs = [(); 4].map(|()| joined(&epoch(&mut loader)).0);
    let image_len = set.image_shape().len();
    let is_flipped = |images: &[f32]| -> Vec<bool> {
        let pairs = images.chunks_exact(image_len).zip(as_is.chunks_exact(image_len));
        pairs.map(|(seen, as_is)| seen != as_is).collect()
    };
    let first = is_flipped(&epochs[0]);
    let n_flipped = first.iter().filter(|&&flipped| flipped).count();
    assert!((8..=32).contains(&n_flipped), "{n_flipped} of 40 flipped");
    assert!(is_flipped(&epochs[1]).iter().zip(&first).all(|(now, first)| now != first));
    assert_eq!((epochs[2].clone(), epochs[3].clone()), (epochs[0].clone(), epochs[1].clone()));
}

#[test]
fn every_window_and_its_mirror_image_is_seen_and_no_other() {
    // One image with all bytes different, 1,000 times: 3 × 3 windows, mirrored or not.
    let shape = ImageShape { height: 3, width: 4, channels: 1 };
    let image: Vec<u8> = (1..=12).collect();
    let set = InMemory::new(shape, image.repeat(1_000), vec![0; 1_000], ["only"]);
    let mut expected = Vec::new();
    for (top, left) in (0..9).map(|i| (i / 3 - 1, i % 3 - 1)) {
        let at = |y: i32, x: i32| -> f32 {
            let (y, x) = (y + top, x + left);
            let inside = (0..3).contains(&y) && (0..4).contains(&x);
            if inside { f32::from(image[(y * 4 + x) as usize]) / 255.0 } else { 0.0 }
        };
        expected.push((0..12).map(|i| at(i / 4, i % 4)).collect::<Vec<_>>());
        expected.push((0..12).map(|i| at(i / 4, 3 - i % 4)).collect::<Vec<_>>());
    }
    let mut counts = vec![0_u32; expected.len()];
    let (images, ..) = joined(&epoch(&mut Loader::new(&set, 64).augment(Augment::flip_and_crop(1), 5)));
    for seen in images.chunks_exact(shape.len()) {
        let view_idx = expected.iter().position(|expected| expected == seen).expect("an expected view");
        counts[view_idx] += 1;
    }
    // 55.6 expected of each, standard deviation 7.2.
    assert!(counts.iter().all(|&n| (20..=92).contains(&n)), "{counts:?}");
}

#[test]
fn augmentation_leaves_evaluation_alone() {
    let set = small_set(9);
    let unchanged = joined(&epoch(&mut Loader::new(&set, 4).augment(Augment::default(), 1)));
    assert_eq!(unchanged, joined(&epoch(&mut Loader::new(&set, 4))));
}

#[test]
fn a_position_beyond_the_epoch_is_refused() {
    let set = small_set(10);
    let mut loader = Loader::new(&set, 4);
    loader.seek(Position { epoch: 9, step: 3 }).unwrap();
    let message = loader.seek(Position { epoch: 9, step: 4 }).unwrap_err().to_string();
    assert_eq!(message, "step 4 is not in an epoch of 3 batches");
    assert_eq!(loader.position(), Position { epoch: 9, step: 3 });
}

#[test]
fn options_set_late_leave_a_loader_where_it_is() {
    let set = small_set(10);
    type Set = for<'a> fn(Loader<'a>) -> Loader<'a>;
    let shuffle: Set = |loader| loader.shuffle(7);
    let weighted: Set = |loader| loader.weighted(&[1.0; 10], 10, 7);
    let drop_last: Set = |loader| loader.drop_last();
    for option in [shuffle, weighted, drop_last] {
        let mut loader = Loader::new(&set, 4).skip(1);
        loader.seek(Position { epoch: 5, step: 2 }).unwrap();
        assert_eq!(option(loader).position(), Position { epoch: 5, step: 2 });

        let mut loader = Loader::new(&set, 4).skip(3);
        assert!(loader.next_into(&mut Batch::new()).unwrap());
        let loader = option(loader);
        assert_eq!(loader.position(), Position { epoch: 1, step: 1 });
        assert_eq!(loader.skip(0).position(), Position::default());
    }
}

#[test]
fn an_epoch_without_batches_can_be_skipped() {
    let set = small_set(3);
    let mut loader = Loader::new(&set, 4).skip(2).drop_last();
    assert!(!loader.next_into(&mut Batch::new()).unwrap());
}

#[test]
#[should_panic(expected = "2 means and 3 standard deviations for images of 3 channels")]
fn normalisation_that_does_not_fit_panics() {
    let normalize = Normalize { mean: vec![0.0; 2], std: vec![1.0; 3] };
    let _ = Loader::new(&small_set(1), 1).normalize(&normalize);
}

#[test]
#[should_panic(expected = "cannot reflect 2 pixels of an image whose shorter side is 2")]
fn a_reflected_border_as_wide_as_the_image_panics() {
    let crop = Crop { padding: 2, border: Border::Reflect };
    let _ = Loader::new(&small_set(1), 1).augment(Augment { crop: Some(crop), ..Augment::default() }, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_epoch_has_every_image_once_in_an_order_of_its_own(
        n in 0..300_usize,
        batch_size in 1..70_usize,
        seed: u64,
    ) {
        let set = small_set(n);
        let mut loader = Loader::new(&set, batch_size).shuffle(seed);
        let (_, labels, first) = joined(&epoch(&mut loader));
        let (_, _, second) = joined(&epoch(&mut loader));
        prop_assert!(labels.iter().zip(&first).all(|(&label, &idx)| label == set.label(idx)));
        for order in [&first, &second] {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert!(sorted.into_iter().eq(0..n));
        }
        // 20 images have 2⁶¹ orders.
        prop_assert!(n < 20 || (first != second && !first.is_sorted()));
    }

    #[test]
    fn neither_batch_size_nor_threads_move_anything(
        n in 1..200_usize,
        sizes in (1..70_usize, 1..70_usize),
        seed: u64,
    ) {
        let set = small_set(n);
        let run = |batch_size, n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let mut loader = Loader::new(&set, batch_size).shuffle(seed).augment(ANYTHING, seed);
            pool.install(|| [(); 2].map(|()| joined(&epoch(&mut loader))))
        };
        prop_assert_eq!(run(sizes.0, 1), run(sizes.1, 3));
    }

    #[test]
    fn a_loader_resumes_anywhere_with_the_same_bits(
        n in 1..100_usize,
        batch_size in 1..40_usize,
        n_calls in 0..30_usize,
        seed: u64,
        drop_last: bool,
    ) {
        let set = small_set(n);
        let make = || {
            let loader = Loader::new(&set, batch_size).shuffle(seed).augment(ANYTHING, seed + 1 - seed % 2);
            if drop_last { loader.drop_last() } else { loader }
        };
        let mut straight = make();
        let mut batch = Batch::new();
        let mut n_returned = 0;
        for _ in 0..n_calls {
            n_returned += u64::from(straight.next_into(&mut batch).unwrap());
        }
        let mut resumed = make();
        resumed.seek(straight.position()).unwrap();
        let mut other = Batch::new();
        for _ in 0..5 {
            prop_assert_eq!(straight.position(), resumed.position());
            let more = straight.next_into(&mut batch).unwrap();
            prop_assert_eq!(more, resumed.next_into(&mut other).unwrap());
            prop_assert!(!more || batch == other);
            n_returned += u64::from(more);
        }

        // By the number of batches, whatever is set afterwards; at the end of an epoch it is in the next.
        let loader = Loader::new(&set, batch_size).skip(n_returned).shuffle(seed);
        let loader = loader.augment(ANYTHING, seed + 1 - seed % 2);
        let mut skipping = if drop_last { loader.drop_last() } else { loader };
        if straight.n_batches() > 0 {
            while !straight.next_into(&mut batch).unwrap() {}
            prop_assert!(skipping.next_into(&mut other).unwrap());
            prop_assert!(batch == other);
            prop_assert_eq!(straight.position(), skipping.position());
        }
    }

    #[test]
    fn a_split_is_a_partition(n in 0..200_usize, fraction in 0.0..=1.0_f64, seed: u64) {
        let set = small_set(n);
        let n_validation = (n as f64 * fraction) as usize;
        let (train, validation) = Subset::split(&set, n_validation, seed);
        prop_assert_eq!(validation.len(), n_validation);
        let mut all = [train.indices(), validation.indices()].concat();
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..n));
        let (again, _) = Subset::split(&set, n_validation, seed);
        prop_assert_eq!(again.indices(), train.indices());
        for (subset_idx, &idx) in train.indices().iter().enumerate() {
            prop_assert_eq!(train.image(subset_idx), set.image(idx));
            prop_assert_eq!(train.label(subset_idx), set.label(idx));
        }
    }
}

#[test]
fn another_seed_splits_otherwise() {
    let set = small_set(100);
    assert_ne!(Subset::split(&set, 50, 0).0.indices(), Subset::split(&set, 50, 1).0.indices());
    assert_eq!(Subset::first(&set, 3).indices(), [0, 1, 2]);
    assert_eq!(Subset::first(&set, 300).len(), 100);
}
