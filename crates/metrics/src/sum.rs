//! Sums that are rounded once, so they do not depend on the order of their terms.

/// The exact sum of f64 numbers, rounded to the nearest f64 only when read.
///
/// An expansion of non-overlapping numbers, smallest first: Shewchuk, *Adaptive Precision Floating-Point
/// Arithmetic and Fast Robust Geometric Predicates*, 1997; the same as Python's `math.fsum`, except that sums in
/// between do not overflow.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExactSum {
    partials: Vec<f64>,
    /// The sum of the terms above [`LARGE`], times [`SHRINK`].
    large: Vec<f64>,
    /// The sum of the infinite and NaN terms, which an expansion cannot hold.
    not_finite: f64,
}

/// 2⁹⁶⁰: so many terms up to this one that no sum overflows.
const LARGE: f64 = f64::from_bits((1023 + 960) << 52);

/// 2⁻²⁰⁰
const SHRINK: f64 = f64::from_bits((1023 - 200) << 52);

impl ExactSum {
    pub(crate) fn add(&mut self, term: f64) {
        if !term.is_finite() {
            self.not_finite += term;
        } else if term.abs() > LARGE {
            grow(&mut self.large, term * SHRINK);
        } else {
            grow(&mut self.partials, term);
        }
    }

    /// Adds a · b without rounding the product.
    pub(crate) fn add_product(&mut self, a: f64, b: f64) {
        let product = a * b;
        let shrunk = a * SHRINK * b;
        if product.is_finite() {
            self.add(product);
            self.add(a.mul_add(b, -product));
        } else if shrunk.is_finite() {
            grow(&mut self.large, shrunk);
            grow(&mut self.large, (a * SHRINK).mul_add(b, -shrunk));
        } else {
            self.add(product);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.partials.iter().for_each(|&partial| grow(&mut self.partials, partial));
        other.large.iter().for_each(|&partial| grow(&mut self.large, partial));
        self.not_finite += other.not_finite;
    }

    /// Numbers that add up to the sum, if all of them can be represented.
    pub(crate) fn partials(&self) -> impl Iterator<Item = f64> + '_ {
        let not_finite = (self.not_finite != 0.0).then_some(self.not_finite);
        let large = self.large.iter().map(|partial| partial / SHRINK);
        self.partials.iter().copied().chain(large).chain(not_finite)
    }

    /// The nearest f64 to the sum; ties round to even.
    pub(crate) fn value(&self) -> f64 {
        self.over(1)
    }

    /// The sum over n, rounded once but for rare cases next to a tie, even if f64 cannot hold the sum.
    pub(crate) fn over(&self, n: u64) -> f64 {
        if self.not_finite != 0.0 {
            return self.not_finite;
        }
        if rounded(&self.large) == 0.0 {
            return quotient(&self.partials, n);
        }
        let mut all = self.large.clone();
        self.partials.iter().for_each(|partial| grow(&mut all, partial * SHRINK));
        quotient(&all, n) / SHRINK
    }
}

/// Adds a term to an expansion.
fn grow(partials: &mut Vec<f64>, term: f64) {
    let mut sum = term;
    let mut n_kept = 0;
    for at in 0..partials.len() {
        let partial = partials[at];
        let (large, small) = if sum.abs() < partial.abs() { (partial, sum) } else { (sum, partial) };
        sum = large + small;
        let error = small - (sum - large);
        if error != 0.0 {
            partials[n_kept] = error;
            n_kept += 1;
        }
    }
    partials.truncate(n_kept);
    partials.push(sum);
}

/// An expansion over n.
fn quotient(partials: &[f64], n: u64) -> f64 {
    let (sum, divisor) = (rounded(partials), n as f64);
    let first = sum / divisor;
    if n == 1 || first == 0.0 || !first.is_finite() {
        return first;
    }
    // What the first division leaves, with the part of the sum that was rounded away.
    let mut rest = partials.to_vec();
    let product = first * divisor;
    grow(&mut rest, -product);
    grow(&mut rest, -first.mul_add(divisor, -product));
    first + rounded(&rest) / divisor
}

/// The nearest f64 to an expansion; ties round to even.
fn rounded(partials: &[f64]) -> f64 {
    let mut rest = partials.iter().rev().copied();
    let mut sum = rest.next().unwrap_or(0.0);
    while let Some(partial) = rest.next() {
        let larger = sum;
        sum = larger + partial;
        let error = partial - (sum - larger);
        if error != 0.0 {
            // Halfway between two f64, the remaining partials decide instead of rounding to even.
            let doubled = 2.0 * error;
            let next = sum + doubled;
            let tips = rest.next().is_some_and(|left| left.signum() == error.signum());
            return if tips && next - sum == doubled { next } else { sum };
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(terms: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        terms.iter().for_each(|&term| sum.add(term));
        sum
    }

    /// From CPython's tests of `math.fsum`.
    #[test]
    fn known_sums() {
        let big = 2f64.powi(53);
        for (terms, expected) in [
            (vec![], 0.0),
            (vec![1e100, 1.0, -1e100, 1e-100, 1e50, -1.0, -1e50], 1e-100),
            (vec![big, -0.5, -2f64.powi(-54)], big - 1.0),
            (vec![big, 1.0, 2f64.powi(-100)], big + 2.0),
            (vec![big + 10.0, 1.0, 2f64.powi(-100)], big + 12.0),
            (vec![big - 4.0, 0.5, 2f64.powi(-54)], big - 3.0),
            (vec![0.1; 10], 1.0),
            // What is beyond f64 in between, in any order.
            (vec![1.7e308, 1.7e308, -1.7e308], 1.7e308),
            (vec![1.7e308, -1.7e308, 1.7e308], 1.7e308),
            (vec![1.7e308, -1.7e308, 1e-300], 1e-300),
            (vec![1e308, 1.0, -1e308, 1e300, -1e300], 1.0),
            (vec![1.7e308, 1.7e308], f64::INFINITY),
            (vec![f64::INFINITY, 1.0], f64::INFINITY),
        ] {
            assert_eq!(sum(&terms).value(), expected, "{terms:?}");
        }
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).value().is_nan());
    }

    proptest! {
        #[test]
        fn neither_order_nor_parts_matter(
            terms in prop::collection::vec((-1.0..1.0_f64, -40..40_i32), 0..60),
            is_huge: bool,
            cut: prop::sample::Index,
        ) {
            let center = if is_huge { 983 } else { 0 };
            let terms: Vec<f64> = terms.into_iter().map(|(m, e)| m * 2f64.powi(center + e)).collect();
            let whole = sum(&terms).value();
            let backwards: Vec<f64> = terms.iter().rev().copied().collect();
            prop_assert_eq!(sum(&backwards).value().to_bits(), whole.to_bits());
            let (front, back) = terms.split_at(cut.index(terms.len() + 1));
            let mut merged = sum(front);
            merged.merge(&sum(back));
            prop_assert_eq!(merged.value().to_bits(), whole.to_bits());
        }

        #[test]
        fn a_product_is_not_rounded(a in -1e6..1e6_f64, b in -1e6..1e6_f64) {
            let mut sum = ExactSum::default();
            sum.add_product(a, b);
            sum.add(-(a * b));
            prop_assert_eq!(sum.value(), a.mul_add(b, -(a * b)));
        }
    }
}
