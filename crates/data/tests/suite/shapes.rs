//! The built-in set: the same everywhere, readable as CIFAR-10, and nothing for a linear model.

use data::{Batch, Cifar, CifarKind, Dataset, ImageShape, Loader, Part, Subset, shapes};

fn all_images(set: &impl Dataset) -> Vec<&[u8]> {
    (0..set.len()).map(|image_idx| set.image(image_idx)).collect()
}

#[test]
fn the_files_hold_what_is_generated() {
    let dir = tempfile::tempdir().unwrap();
    shapes::write(&dir, 3).unwrap();
    for part in [Part::Train, Part::Test] {
        let (written, generated) =
            (Cifar::open(&dir, CifarKind::Cifar10, part).unwrap(), shapes::generate(part, 3));
        assert!(all_images(&written) == all_images(&generated));
        assert_eq!(written.class_names(), shapes::CLASS_NAMES);
        assert_eq!(written.class_names(), generated.class_names());
        assert_eq!(written.image_shape(), ImageShape::CIFAR);
    }
    let n_files = std::fs::read_dir(&dir).unwrap().count();
    assert_eq!(n_files, 7, "six files of images, one of names, none left over");
}

#[test]
fn each_class_has_as_many_images() {
    for part in [Part::Train, Part::Test] {
        let set = shapes::generate(part, 0);
        let mut counts = [0; 10];
        (0..set.len()).for_each(|image_idx| counts[set.label(image_idx) as usize] += 1);
        assert_eq!(counts, [set.len() / 10; 10]);
    }
}

#[test]
fn parts_and_seeds_have_no_image_in_common() {
    let parts =
        [(Part::Train, 0), (Part::Test, 0), (Part::Test, 1)].map(|(part, seed)| shapes::generate(part, seed));
    let mut images: Vec<_> = parts.iter().flat_map(all_images).collect();
    let n_images = images.len();
    images.sort_unstable();
    images.dedup();
    assert_eq!(images.len(), n_images);
}

/// FNV-1a over all images of the test part.
fn fingerprint(set: &Cifar) -> u64 {
    let bytes = all_images(set).into_iter().flatten();
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_images_are_the_same_on_every_machine() {
    assert_eq!(fingerprint(&shapes::generate(Part::Test, 0)), 17_233_824_619_897_602_153);
}

/// Softmax regression, trained until it gains no more.
#[test]
fn a_linear_model_stays_under_sixty_percent() {
    const N_CLASSES: usize = 10;
    let (all, test) = (shapes::generate(Part::Train, 0), shapes::generate(Part::Test, 0));
    let train = Subset::first(&all, 4_000);
    let image_len = ImageShape::CIFAR.len();
    let mut weights = vec![0.0_f32; N_CLASSES * (image_len + 1)];
    let logits = |weights: &[f32], image: &[f32]| -> [f32; N_CLASSES] {
        std::array::from_fn(|class| {
            let row = &weights[class * (image_len + 1)..][..image_len + 1];
            row[image_len] + row.iter().zip(image).map(|(w, x)| w * x).sum::<f32>()
        })
    };
    let mut batch = Batch::new();
    let mut loader = Loader::new(&train, 20).shuffle(0);
    for _ in 0..3 {
        while loader.next_into(&mut batch).unwrap() {
            for (image, &label) in batch.images().chunks_exact(image_len).zip(batch.labels()) {
                let logits = logits(&weights, image);
                let max = logits.iter().copied().fold(f32::MIN, f32::max);
                let exps = logits.map(|logit| (logit - max).exp());
                let sum: f32 = exps.iter().sum();
                for (class, row) in weights.chunks_exact_mut(image_len + 1).enumerate() {
                    let gradient = exps[class] / sum - f32::from(u8::from(class == label as usize));
                    row[image_len] -= 1e-3 * gradient;
                    row.iter_mut().zip(image).for_each(|(w, x)| *w -= 1e-3 * gradient * x);
                }
            }
        }
    }
    let accuracy = |set: &dyn Dataset| {
        let mut n_right = 0;
        let mut loader = Loader::new(set, 100);
        let mut batch = Batch::new();
        while loader.next_into(&mut batch).unwrap() {
            for (image, &label) in batch.images().chunks_exact(image_len).zip(batch.labels()) {
                let logits = logits(&weights, image);
                let best = (0..N_CLASSES).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
                n_right += usize::from(best == label as usize);
            }
        }
        n_right as f64 / set.len() as f64
    };
    let (on_train, on_test) = (accuracy(&train), accuracy(&test));
    // It learns what there is to learn, brightness and extent; else the bound below would say nothing.
    assert!(on_train > 0.15, "{on_train} on the training images, {on_test} on the test images");
    assert!(on_test < 0.6, "{on_test} on the test images");
}
