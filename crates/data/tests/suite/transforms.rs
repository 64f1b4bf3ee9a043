//! Lists of transforms: what moves them and what does not.

use data::{Augment, Batch, Border, Crop, Flip, ImageShape, InMemory, Loader, Normalize, Transform, View};
use proptest::prelude::*;

const SHAPE: ImageShape = ImageShape { height: 6, width: 5, channels: 3 };
const ANYTHING: Augment =
    Augment { flip: Flip::Random, crop: Some(Crop { padding: 2, border: Border::Reflect }) };

fn small_set(n: usize) -> InMemory {
    let images = (0..n * SHAPE.len()).map(|i| (i * 89 + i / 256) as u8).collect();
    InMemory::new(SHAPE, images, vec![0; n], ["only"])
}

fn normalize() -> Normalize {
    Normalize { mean: vec![0.3, 0.4, 0.5], std: vec![0.5, 0.25, 2.0] }
}

fn everything() -> Vec<Transform> {
    vec![
        Transform::Augment(ANYTHING),
        Transform::Jitter { brightness: 0.4, contrast: 0.4, saturation: 0.4 },
        Transform::Rotate { degrees: 30.0 },
        Transform::Augment(ANYTHING),
        Transform::Erase { probability: 0.5, area: [0.1, 0.3], ratio: [0.5, 2.0] },
        Transform::Normalize(normalize()),
        Transform::Cutout { size: 2 },
    ]
}

/// The images of two epochs, sorted by (epoch, index).
fn epochs(mut loader: Loader<'_>) -> Vec<(usize, usize, Vec<f32>)> {
    let (mut batch, mut seen) = (Batch::new(), Vec::new());
    for epoch in 0..2 {
        while loader.next_into(&mut batch).unwrap() {
            let images = batch.images().chunks_exact(SHAPE.len());
            seen.extend(batch.indices().iter().zip(images).map(|(&idx, image)| (epoch, idx, image.to_vec())));
        }
    }
    seen.sort_by_key(|&(epoch, idx, _)| (epoch, idx));
    seen
}

fn images(loader: Loader<'_>) -> Vec<Vec<f32>> {
    epochs(loader).into_iter().map(|(.., image)| image).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn neither_order_nor_batches_nor_threads_matter(
        n in 1..60_usize,
        sizes in (1..40_usize, 1..40_usize),
        seed: u64,
        order_seed: u64,
    ) {
        let set = small_set(n);
        let run = |batch_size, n_threads, order_seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            let loader = Loader::new(&set, batch_size).shuffle(order_seed).transform(everything(), seed);
            pool.install(|| epochs(loader))
        };
        prop_assert_eq!(run(sizes.0, 1, seed), run(sizes.1, 3, order_seed));
    }

    /// The window in the table of bytes and the window in pixels, normalised in the table and after.
    #[test]
    fn a_list_of_one_is_an_augmentation(n in 1..40_usize, seed: u64) {
        let set = small_set(n);
        let expected = images(Loader::new(&set, 8).augment(ANYTHING, seed).normalize(&normalize()));
        let list = [Transform::Augment(ANYTHING), Transform::Normalize(normalize())];
        prop_assert_eq!(&images(Loader::new(&set, 8).transform(list, seed)), &expected);
        let nothing = Transform::Rotate { degrees: 0.0 };
        let list = [Transform::Augment(ANYTHING), nothing, Transform::Normalize(normalize())];
        prop_assert_eq!(&images(Loader::new(&set, 8).transform(list, seed)), &expected);
    }

    #[test]
    fn a_view_in_bytes_is_a_view_in_pixels(flipped: bool, top in -5..=5_isize, left in -4..=4_isize, reflect: bool) {
        let set = small_set(3);
        let border = if reflect { Border::Reflect } else { Border::Zero };
        let view = Transform::View(View { flipped, top, left, border });
        let in_bytes = images(Loader::new(&set, 8).transform([view.clone()], 0));
        let in_pixels = images(Loader::new(&set, 8).transform([Transform::View(View::PLAIN), view], 0));
        prop_assert_eq!(in_bytes, in_pixels);
    }
}

#[test]
fn each_place_in_the_list_draws_by_itself() {
    let set = small_set(40);
    let flip = Transform::Augment(Augment { flip: Flip::Random, crop: None });
    let once = images(Loader::new(&set, 8).transform([flip.clone()], 3));
    let twice = images(Loader::new(&set, 8).transform([flip.clone(), flip], 3));
    let as_is = images(Loader::new(&set, 8));
    assert_ne!(twice, as_is, "two flips of one coin would be none");
    assert_ne!(twice, once);
}

#[test]
fn each_changes_images_and_keeps_them_in_range() {
    let set = small_set(20);
    let as_is = images(Loader::new(&set, 8));
    for transform in everything().into_iter().filter(|t| !matches!(t, Transform::Normalize(_))) {
        let seen = images(Loader::new(&set, 8).transform([transform.clone()], 3));
        let n_changed = seen.iter().zip(&as_is).filter(|(seen, as_is)| seen != as_is).count();
        assert!((5..=40).contains(&n_changed), "{transform:?} changed {n_changed} of 40");
        let in_range = seen.iter().flatten().all(|value| (-1e-6..=1.000_001).contains(value));
        assert!(in_range, "{transform:?}");
        let (first, second) = seen.split_at(20);
        assert_ne!(first, second, "{transform:?}: another epoch, other draws");
    }
}

/// As in torchvision, which does not clamp the factors: a third of them would be 0 here.
#[test]
fn a_factor_is_drawn_from_0_on_if_it_may_be_above_2() {
    let set = InMemory::new(SHAPE, vec![51; 500 * SHAPE.len()], vec![0; 500], ["grey"]);
    let jitter = Transform::Jitter { brightness: 3.0, contrast: 0.0, saturation: 0.0 };
    let factors: Vec<f32> =
        images(Loader::new(&set, 50).transform([jitter], 3)).iter().map(|image| image[0] / 0.2).collect();
    for quarter in 0..4 {
        // 250 expected, standard deviation 14.
        let n = factors.iter().filter(|&&factor| factor as i32 == quarter).count();
        assert!(n.abs_diff(250) < 70, "{n} factors from {quarter} to {}", quarter + 1);
    }
}

/// The largest numbers, too, give pixels.
#[test]
fn no_change_of_colours_leads_out_of_them() {
    let set = small_set(8);
    for x in [1e30, f32::MAX] {
        let jitter = Transform::Jitter { brightness: x, contrast: x, saturation: x };
        let seen = images(Loader::new(&set, 8).transform([jitter], 3));
        assert!(seen.iter().flatten().all(|value| (0.0..=1.0).contains(value)), "{x:e}");
    }
}

/// In f32, in which pixels are normalised.
#[test]
fn normalisations_beyond_f32_panic() {
    let sound = normalize();
    for (wrong, expected) in [
        (Normalize { std: vec![1e-50; 3], ..sound.clone() }, "pixels are f32"),
        (Normalize { mean: vec![1e300; 3], ..sound.clone() }, "pixels are f32"),
        (Normalize { std: vec![f64::INFINITY; 3], ..sound.clone() }, "positive and finite"),
        (Normalize { std: vec![0.0; 3], ..sound.clone() }, "positive and finite"),
    ] {
        let set = small_set(1);
        let panic = std::panic::catch_unwind(|| drop(Loader::new(&set, 1).normalize(&wrong))).unwrap_err();
        let message = panic.downcast::<String>().unwrap();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn what_is_cut_out_after_normalising_is_the_mean() {
    let set = small_set(4);
    let list = [Transform::Normalize(normalize()), Transform::Cutout { size: 20 }];
    let seen = images(Loader::new(&set, 4).transform(list, 0));
    assert!(seen.iter().flatten().all(|&value| value == 0.0));
    let list = [Transform::Cutout { size: 20 }, Transform::Normalize(normalize())];
    let seen = images(Loader::new(&set, 4).transform(list, 0));
    assert_eq!(&seen[0][..3], &[(0.0 - 0.3) / 0.5, (0.0 - 0.4) / 0.25, (0.0 - 0.5) / 2.0]);
}

#[test]
#[should_panic(expected = "Jitter takes values from 0 to 1: put it before Normalize")]
fn jitter_after_normalisation_panics() {
    let jitter = Transform::Jitter { brightness: 0.1, contrast: 0.0, saturation: 0.0 };
    let _ = Loader::new(&small_set(1), 1).transform([Transform::Normalize(normalize()), jitter], 0);
}

#[test]
#[should_panic(expected = "the images would be normalised twice")]
fn normalising_twice_panics() {
    let _ = Loader::new(&small_set(1), 1)
        .transform([Transform::Normalize(normalize())], 0)
        .normalize(&normalize());
}

#[test]
#[should_panic(expected = "needs a larger reflected border than the image")]
fn a_view_beyond_a_reflection_panics() {
    let view = View { left: 5, border: Border::Reflect, ..View::PLAIN };
    let _ = Loader::new(&small_set(1), 1).transform([Transform::View(view)], 0);
}

/// Recorded before there were lists: a change here is a change of every augmented run.
#[test]
fn the_augmented_bits_are_those_on_record() {
    let set = small_set(50);
    let alternating = Augment { flip: Flip::Alternating, ..ANYTHING };
    let fingerprint = |augment: Augment| {
        let loader = Loader::new(&set, 8).shuffle(9).augment(augment, 7).normalize(&normalize());
        let values = images(loader).into_iter().flatten();
        values.fold(0xcbf2_9ce4_8422_2325_u64, |hash, value| {
            (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3)
        })
    };
    assert_eq!(
        [fingerprint(ANYTHING), fingerprint(alternating)],
        [6_722_541_153_617_951_421, 2_584_751_632_649_388_869]
    );
}
