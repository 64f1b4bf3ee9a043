//! Tests every operation of every instruction set lane by lane against plain f32.

use std::array::from_fn;
use std::ffi::OsStr;

use super::*;
use crate::level::InstructionSet;

/// Numbers including negative ones, zeros, infinities and NaN; different for each salt.
fn lanes(salt: usize) -> [f32; LANES] {
    let special = [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE, -1.5];
    from_fn(|idx| match (idx * 7 + salt * 5) % 11 {
        n if n < special.len() => special[n],
        n => (n as f32 - 8.5) * 1.25f32.powi((idx + salt) as i32),
    })
}

/// Equal bits, or both NaN.
#[track_caller]
fn assert_same(level: Level, name: &str, found: &[f32], expected: &[f32]) {
    let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    let equal = found.len() == expected.len() && found.iter().zip(expected).all(same);
    assert!(equal, "{level:?}, {name}: {found:?} instead of {expected:?}");
}

/// Runs `check` on each level of this machine, and on the array version used by processors other than x86-64.
fn on_each_level<K: Kernel<Output = ()>>(check: impl Fn(Level) -> K) {
    Level::available().into_iter().for_each(|level| dispatch(level, check(level)));
    check(Level::PORTABLE).run(Portable);
}

#[test]
fn arithmetic_is_that_of_f32() {
    struct Check(Level);
    impl Kernel for Check {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let lanes_of = |vector: S::V| {
                let mut lanes = [0.0; LANES];
                vector.write(&mut lanes);
                lanes
            };
            for salt in 0..11 {
                let [a, b, c] = [lanes(salt), lanes(salt + 1), lanes(salt + 3)];
                let [x, y, z] = [a, b, c].map(|lanes| simd.read(&lanes));
                let check = |what, found, f: &dyn Fn(f32, f32, f32) -> f32| {
                    assert_same(
                        self.0,
                        what,
                        &lanes_of(found),
                        &from_fn::<_, LANES, _>(|i| f(a[i], b[i], c[i])),
                    );
                };
                check("read", x, &|a, _, _| a);
                check("splat", simd.splat(a[3]), &|_, _, _| a[3]);
                check("zero", simd.zero(), &|_, _, _| 0.0);
                check("+", x + y, &|a, b, _| a + b);
                check("-", x - y, &|a, b, _| a - b);
                check("*", x * y, &|a, b, _| a * b);
                let fused = |a: f32, b: f32, c: f32| if S::FUSED { a.mul_add(b, c) } else { a * b + c };
                check("mul_add", x.mul_add(y, z), &fused);
                // Which zero it is, is unspecified.
                check("relu", x.relu() + simd.zero(), &|a, _, _| if a <= 0.0 { 0.0 } else { a });
                check("max", x.max(y), &|a, b, _| if a > b { a } else { b });
                let pick = |mask| S::V::select(mask, y, z);
                check("gt", pick(x.gt(y)), &|a, b, c| if a > b { b } else { c });
                check("ne", pick(x.ne(y)), &|a, b, c| if a != b { b } else { c });
                check("is_nan", pick(x.is_nan()), &|a, b, c| if a.is_nan() { b } else { c });
                check("|", pick(x.gt(y) | x.is_nan()), &|a, b, c| if a > b || a.is_nan() { b } else { c });
                let bits = (0..LANES).filter(|&i| a[i] > b[i]).map(|i| 1u16 << i).sum();
                assert_eq!(S::V::bits(x.gt(y)), bits, "{:?}, bits", self.0);
            }
        }
    }
    on_each_level(Check);
}

#[test]
fn powers_of_two_are_exact_and_the_smallest_is_zero() {
    struct Check(Level);
    impl Kernel for Check {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            for first in (-127..=127).step_by(LANES) {
                let n: [f32; LANES] = from_fn(|lane_idx| (first + lane_idx as i32).min(127) as f32);
                let mut found = [0.0; LANES];
                simd.read(&n).power_of_two().write(&mut found);
                let expected = n.map(|n| if n == -127.0 { 0.0 } else { 2f32.powi(n as i32) });
                assert_same(self.0, "power_of_two", &found, &expected);
            }
        }
    }
    on_each_level(Check);
}

#[test]
fn vectors_meet_memory_where_they_should_and_nowhere_else() {
    struct Check(Level);
    impl Kernel for Check {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            let source = lanes(2);
            for n in 0..=LANES {
                let mut read = [9.0; LANES];
                simd.read(&source[..n]).write(&mut read);
                let expected: [f32; LANES] = from_fn(|i| if i < n { source[i] } else { 0.0 });
                assert_same(self.0, "read", &read, &expected);
                let mut written = [9.0; LANES];
                simd.read(&source).write(&mut written[..n]);
                let expected: [f32; LANES] = from_fn(|i| if i < n { source[i] } else { 9.0 });
                assert_same(self.0, "write", &written, &expected);
            }
        }
    }
    on_each_level(Check);
}

#[test]
fn lanes_move_and_join_as_told() {
    struct Check(Level);
    impl Kernel for Check {
        type Output = ();
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            // Integers, so their sums are exact in any order.
            let rows: [[f32; LANES]; LANES] = from_fn(|row| from_fn(|col| (row * LANES + col) as f32));
            let vectors: [S::V; LANES] = from_fn(|row| simd.read(&rows[row]));
            let columns = S::V::transpose(vectors);
            for col in 0..LANES {
                let mut column = [0.0; LANES];
                columns[col].write(&mut column);
                assert_same(self.0, "transpose", &column, &from_fn::<_, LANES, _>(|row| rows[row][col]));
            }
            let sums = S::V::sums([vectors[0], vectors[5], vectors[9], vectors[15]]);
            assert_same(self.0, "sums", &sums, &[0, 5, 9, 15].map(|row: usize| rows[row].iter().sum()));
            for (row, vector) in vectors.into_iter().enumerate() {
                assert_eq!(vector.to_bytes(), from_fn(|col| (row * LANES + col) as u8), "{:?}", self.0);
            }
        }
    }
    on_each_level(Check);
}

#[test]
fn the_variable_caps_the_level() {
    let levels = Level::available();
    let capped = |name: Option<&str>| InstructionSet::named(name.map(OsStr::new)).map(Level::best);
    assert_eq!((levels[0].name(), capped(None)), ("portable", Ok(levels[levels.len() - 1])));
    for name in ["portable", "avx2", "avx512"] {
        let capped = capped(Some(name)).unwrap();
        assert!(
            capped.name() == name || !levels.iter().any(|level| level.name() == name),
            "{name}: {capped:?}"
        );
    }
    assert_ne!(levels[levels.len() - 1].at_most_avx2().name(), "avx512");
    for name in ["sse", "", "AVX2"] {
        let expected = format!("DESCENT_SIMD is {name:?}: expected avx512, avx2 or portable");
        assert_eq!(capped(Some(name)), Err(expected));
    }
}
