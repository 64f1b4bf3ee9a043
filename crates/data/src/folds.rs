//! Validation splits: k folds, and stratified parts.

use crate::{Dataset, Error, Subset, random};

/// Training and validation examples.
type Split<'a> = (Subset<'a>, Subset<'a>);

impl<'a> Subset<'a> {
    /// Randomly splits `dataset` into `k` folds of nearly equal size for cross-validation. For each fold,
    /// returns the examples of the others for training and its own for validation.
    ///
    /// The choice depends only on `seed`; within each part the examples keep their order.
    ///
    /// # Errors
    /// When `k` is less than 2 or more than the number of examples.
    pub fn k_folds(dataset: &'a dyn Dataset, k: usize, seed: u64) -> Result<Vec<Split<'a>>, Error> {
        let order = shuffled(dataset, seed, "folds");
        folds(dataset, &order, k)
    }

    /// Like [`k_folds`](Self::k_folds), but stratified: the numbers of examples of a class in different folds
    /// differ by at most 1. A class with fewer examples than folds is missing from some.
    ///
    /// # Errors
    /// When `k` is less than 2 or more than the number of examples.
    ///
    /// # Panics
    /// When the set has no classes.
    #[track_caller]
    pub fn stratified_k_folds(
        dataset: &'a dyn Dataset,
        k: usize,
        seed: u64,
    ) -> Result<Vec<Split<'a>>, Error> {
        let by_class = by_class(dataset, seed, "folds", "stratified_k_folds");
        folds(dataset, &by_class, k)
    }

    /// Like [`split`](Self::split), but stratified: each class contributes its share of `n_validation`,
    /// rounded down or up so that the total is `n_validation`.
    ///
    /// # Panics
    /// When `n_validation` is more than the number of examples, or the set has no classes.
    #[track_caller]
    pub fn stratified_split(dataset: &'a dyn Dataset, n_validation: usize, seed: u64) -> Split<'a> {
        let len = dataset.len();
        assert!(
            n_validation <= len,
            "Subset::stratified_split: {n_validation} examples for validation, but there are only {len}"
        );
        let order = by_class(dataset, seed, "split", "stratified_split");
        let classes: Vec<&[usize]> = order.chunk_by(|&a, &b| dataset.label(a) == dataset.label(b)).collect();
        let shares = shares(&classes, n_validation, len);
        let mut is_validation = vec![false; len];
        for (class, share) in classes.iter().zip(shares) {
            class[..share].iter().for_each(|&idx| is_validation[idx] = true);
        }
        parts(dataset, |idx| is_validation[idx])
    }
}

/// The number of validation examples per class. The largest remainders are rounded up; among equal ones, the
/// first.
fn shares(classes: &[&[usize]], n_validation: usize, len: usize) -> Vec<usize> {
    let exact = |class: &&[usize]| class.len() as u128 * n_validation as u128;
    let divisor = len.max(1) as u128;
    let mut shares: Vec<usize> = classes.iter().map(|class| (exact(class) / divisor) as usize).collect();
    let mut by_remainder: Vec<usize> = (0..classes.len()).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(exact(&classes[class]) % divisor));
    let n_left = n_validation - shares.iter().sum::<usize>();
    by_remainder[..n_left].iter().for_each(|&class| shares[class] += 1);
    shares
}

/// Deals the examples in `order` into `k` folds in turn.
fn folds<'a>(dataset: &'a dyn Dataset, order: &[usize], k: usize) -> Result<Vec<Split<'a>>, Error> {
    if k < 2 || k > order.len() {
        return Err(Error::Folds { n_folds: k, n_examples: order.len() });
    }
    let mut fold_of = vec![0; order.len()];
    order.iter().enumerate().for_each(|(at, &idx)| fold_of[idx] = at % k);
    Ok((0..k).map(|fold| parts(dataset, |idx| fold_of[idx] == fold)).collect())
}

/// The training examples and the validation examples.
fn parts(dataset: &dyn Dataset, is_validation: impl Fn(usize) -> bool) -> Split<'_> {
    let (validation, train) = (0..dataset.len()).partition(|&idx| is_validation(idx));
    (Subset::new(dataset, train), Subset::new(dataset, validation))
}

fn shuffled(dataset: &dyn Dataset, seed: u64, purpose: &str) -> Vec<usize> {
    let mut order: Vec<usize> = (0..dataset.len()).collect();
    random::shuffle(&mut order, &mut random::stream(seed, purpose, 0));
    order
}

/// One class after another, each in random order.
#[track_caller]
fn by_class(dataset: &dyn Dataset, seed: u64, purpose: &str, method: &str) -> Vec<usize> {
    let has_classes = !dataset.class_names().is_empty() || dataset.is_empty();
    assert!(
        has_classes,
        "Subset::{method}: the set has no classes; use Subset::k_folds or Subset::split instead"
    );
    let mut order = shuffled(dataset, seed, purpose);
    order.sort_by_key(|&idx| dataset.label(idx));
    order
}
