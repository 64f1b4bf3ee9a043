//! Cross-validation, stratified parts, and drawing by weight.

use data::{Batch, Dataset, Error, ImageShape, InMemory, Loader, Subset};
use proptest::prelude::*;

fn set_of(labels: &[u32]) -> InMemory {
    let shape = ImageShape { height: 1, width: 1, channels: 1 };
    InMemory::new(shape, vec![0; labels.len()], labels.to_vec(), ["a", "b", "c"])
}

fn n_of(subset: &Subset<'_>, class: u32) -> usize {
    (0..subset.len()).filter(|&idx| subset.label(idx) == class).count()
}

fn n_of_all(labels: &[u32], class: u32) -> usize {
    labels.iter().filter(|&&label| label == class).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_example_is_in_one_fold(labels in prop::collection::vec(0..3_u32, 2..80), k in 2..9_usize, seed: u64) {
        let set = set_of(&labels);
        prop_assume!(k <= labels.len());
        for stratified in [false, true] {
            let make = if stratified { Subset::stratified_k_folds } else { Subset::k_folds };
            let folds = make(&set, k, seed).unwrap();
            prop_assert_eq!(folds.len(), k);
            let mut seen: Vec<usize> = folds.iter().flat_map(|(_, fold)| fold.indices().to_vec()).collect();
            seen.sort_unstable();
            prop_assert!(seen.into_iter().eq(0..labels.len()));
            for ((train, fold), (again, _)) in folds.iter().zip(make(&set, k, seed).unwrap()) {
                prop_assert!(fold.len().abs_diff(labels.len() / k) <= 1);
                let mut both = [train.indices(), fold.indices()].concat();
                both.sort_unstable();
                prop_assert!(both.into_iter().eq(0..labels.len()));
                prop_assert_eq!(again.indices(), train.indices());
                for class in 0..3 {
                    let share = n_of_all(&labels, class) / k;
                    prop_assert!(!stratified || (share..=share + 1).contains(&n_of(fold, class)));
                }
            }
        }
    }

    #[test]
    fn a_stratified_split_has_the_proportions_of_the_whole(
        labels in prop::collection::vec(0..3_u32, 1..80),
        fraction in 0.0..=1.0_f64,
        seed: u64,
    ) {
        let set = set_of(&labels);
        let n_validation = (labels.len() as f64 * fraction) as usize;
        let (train, validation) = Subset::stratified_split(&set, n_validation, seed);
        prop_assert_eq!(validation.len(), n_validation);
        let mut both = [train.indices(), validation.indices()].concat();
        both.sort_unstable();
        prop_assert!(both.into_iter().eq(0..labels.len()));
        for class in 0..3 {
            let share = n_of_all(&labels, class) * n_validation / labels.len();
            prop_assert!((share..=share + 1).contains(&n_of(&validation, class)));
        }
    }
}

#[test]
fn another_seed_cuts_otherwise() {
    let set = set_of(&[0, 1, 2].repeat(20));
    for make in [Subset::k_folds, Subset::stratified_k_folds] {
        let fold = |seed| make(&set, 3, seed).unwrap()[0].1.indices().to_vec();
        assert_ne!(fold(0), fold(1));
    }
    let split = |seed| Subset::stratified_split(&set, 30, seed).1.indices().to_vec();
    assert_ne!(split(0), split(1));
}

#[test]
fn more_folds_than_examples_are_an_error() {
    for (k, labels, message) in [
        (4, &[0, 1, 2][..], "4 folds of 3 examples: expected 2 to 3 folds, each with at least one example"),
        (1, &[0, 1, 2], "1 fold of 3 examples: expected 2 to 3 folds, each with at least one example"),
        (3, &[0, 1], "3 folds of 2 examples: expected 2 folds, each with one example"),
        (2, &[0], "2 folds of 1 example: expected at least 2 examples"),
        (0, &[], "0 folds of 0 examples: expected at least 2 examples"),
    ] {
        let set = set_of(labels);
        for make in [Subset::k_folds, Subset::stratified_k_folds] {
            let error = make(&set, k, 0).map(|folds| folds.len()).unwrap_err();
            assert!(matches!(error, Error::Folds { .. }));
            assert_eq!(error.to_string(), message);
        }
    }
}

fn drawn(loader: &mut Loader<'_>) -> Vec<usize> {
    let (mut batch, mut indices) = (Batch::new(), Vec::new());
    while loader.next_into(&mut batch).unwrap() {
        indices.extend_from_slice(batch.indices());
    }
    indices
}

#[test]
fn examples_are_drawn_in_proportion_to_their_weights() {
    let set = set_of(&[0; 4]);
    let weights = [0.0, 1.0, 3.0, 0.0];
    let mut loader = Loader::new(&set, 64).weighted(&weights, 8_000, 5);
    assert_eq!(loader.n_batches(), 125);
    let (first, second) = (drawn(&mut loader), drawn(&mut loader));
    assert_ne!(first, second, "each epoch draws anew");
    let n_of = |idx| first.iter().filter(|&&drawn| drawn == idx).count();
    // 2,000 expected, standard deviation 39.
    assert_eq!((n_of(0), n_of(3), n_of(1) + n_of(2)), (0, 0, 8_000));
    assert!(n_of(1).abs_diff(2_000) < 200, "{}", n_of(1));
    // A function of seed and epoch, whatever the size of a batch.
    let mut other = Loader::new(&set, 7).weighted(&weights, 8_000, 5);
    assert_eq!((drawn(&mut other), drawn(&mut other)), (first, second));
}

#[test]
#[should_panic(expected = "example 1 has the weight NaN, expected 0 or more")]
fn a_weight_that_is_none_panics() {
    let _ = Loader::new(&set_of(&[0, 0]), 1).weighted(&[1.0, f64::NAN], 2, 0);
}

#[test]
#[should_panic(expected = "the weights sum to 0, expected a positive, finite sum")]
fn weights_of_zero_panic() {
    let _ = Loader::new(&set_of(&[0, 0]), 1).weighted(&[0.0, 0.0], 2, 0);
}
