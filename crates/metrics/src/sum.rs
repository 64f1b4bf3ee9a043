//! Sums that are rounded once, so they do not depend on the order of their terms.

/// The exact sum of f64 numbers, rounded to the nearest f64 only when read.
///
/// An expansion of non-overlapping numbers, smallest first: Shewchuk, *Adaptive Precision Floating-Point
/// Arithmetic and Fast Robust Geometric Predicates*, 1997; the same as Python's `math.fsum`.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExactSum {
    partials: Vec<f64>,
    /// The sum of the infinite and NaN terms, which an expansion cannot hold.
    not_finite: f64,
}

impl ExactSum {
    pub(crate) fn add(&mut self, term: f64) {
        let mut sum = term;
        let mut n_kept = 0;
        for at in 0..self.partials.len() {
            let partial = self.partials[at];
            let (large, small) = if sum.abs() < partial.abs() { (partial, sum) } else { (sum, partial) };
            sum = large + small;
            let error = small - (sum - large);
            if error != 0.0 {
                self.partials[n_kept] = error;
                n_kept += 1;
            }
            if !sum.is_finite() {
                break;
            }
        }
        if sum.is_finite() {
            self.partials.truncate(n_kept);
            self.partials.push(sum);
        } else {
            self.partials.clear();
            self.not_finite += sum;
        }
    }

    /// Adds a · b without rounding the product.
    pub(crate) fn add_product(&mut self, a: f64, b: f64) {
        let product = a * b;
        self.add(product);
        self.add(a.mul_add(b, -product));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        other.partials.iter().for_each(|&partial| self.add(partial));
        self.not_finite += other.not_finite;
    }

    pub(crate) fn partials(&self) -> &[f64] {
        &self.partials
    }

    /// The nearest f64 to the sum; ties round to even.
    pub(crate) fn value(&self) -> f64 {
        if self.not_finite != 0.0 {
            return self.not_finite;
        }
        let mut rest = self.partials.iter().rev().copied();
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
            cut: prop::sample::Index,
        ) {
            let terms: Vec<f64> = terms.into_iter().map(|(m, e)| m * 2f64.powi(e)).collect();
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
