//! The rules that PyTorch has not (and Muon, which it rounds), against their papers' pseudo-code, written a
//! second time in plain f64; and what PyTorch's record does not reach of the others: ASGD's mean, Adafactor on
//! large matrices and under ε₁.

use optim::{Adafactor, Adan, Asgd, Elementwise, Lamb, Lars, Lion, LrAdjustment, Muon, WholeTensor};
use proptest::prelude::*;

/// A gradient for step `t` (from 1): smooth, of changing sign, now and then exactly 0.
fn gradient(t: usize, n: usize) -> Vec<f64> {
    (0..n)
        .map(|i| {
            if (t + i).is_multiple_of(11) {
                0.0
            } else {
                ((t * (i + 2)) as f64 * 0.37).sin() * (1.0 + i as f64)
            }
        })
        .collect()
}

fn start(n: usize) -> Vec<f64> {
    (0..n).map(|i| (i as f64 * 1.7).cos() * 2.0).collect()
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[track_caller]
fn assert_close(actual: &[f64], expected: &[f64], bound: f64) {
    let scale = expected.iter().fold(0f64, |max, x| max.max(x.abs()));
    for (actual, expected) in actual.iter().zip(expected) {
        assert!((actual - expected).abs() <= bound * scale, "{actual} should be {expected}");
    }
}

const N: usize = 6;
const N_STEPS: usize = 200;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn lion_is_algorithm_2(lr in 1e-4..0.1f64, beta1 in 0.0..0.99f64, beta2 in 0.0..0.99f64, wd in 0.0..0.5f64, maximize: bool) {
        let lion = Lion { lr, betas: (beta1, beta2), weight_decay: wd, maximize };
        let (mut values, mut theta, mut m) = (start(N), start(N), vec![0.0; N]);
        let mut state = lion.state(N).unwrap();
        for t in 1..=N_STEPS {
            lion.update(&mut values, &gradient(t, N), &mut state);
            for (i, g) in gradient(t, N).into_iter().enumerate() {
                let g = if maximize { -g } else { g };
                let c = beta1 * m[i] + (1.0 - beta1) * g;
                let sign = if c > 0.0 { 1.0 } else if c < 0.0 { -1.0 } else { 0.0 };
                theta[i] -= lr * (sign + wd * theta[i]);
                m[i] = beta2 * m[i] + (1.0 - beta2) * g;
            }
        }
        assert_close(&values, &theta, 1e-12);
    }

    #[test]
    fn adan_is_algorithm_1(
        lr in 1e-4..0.1f64, b1 in 0.01..1.0f64, b2 in 0.01..1.0f64, b3 in 0.01..1.0f64, wd in 0.0..0.5f64, maximize: bool,
    ) {
        // The paper's β weigh what is new.
        let eps = 1e-8;
        let adan = Adan { lr, betas: (1.0 - b1, 1.0 - b2, 1.0 - b3), eps, weight_decay: wd, maximize };
        let (mut values, mut theta) = (start(N), start(N));
        let (mut m, mut v, mut n, mut before) = (vec![0.0; N], vec![0.0; N], vec![0.0; N], vec![0.0; N]);
        let mut state = adan.state(N).unwrap();
        for t in 1..=N_STEPS {
            adan.update(&mut values, &gradient(t, N), &mut state);
            for (i, g) in gradient(t, N).into_iter().enumerate() {
                let g = if maximize { -g } else { g };
                if t == 1 {
                    (m[i], v[i], n[i]) = (g, 0.0, g * g);
                } else {
                    m[i] = (1.0 - b1) * m[i] + b1 * g;
                    v[i] = (1.0 - b2) * v[i] + b2 * (g - before[i]);
                    n[i] = (1.0 - b3) * n[i] + b3 * (g + (1.0 - b2) * (g - before[i])).powi(2);
                }
                let eta = lr / (n[i].sqrt() + eps);
                theta[i] = (theta[i] - eta * (m[i] + (1.0 - b2) * v[i])) / (1.0 + wd * lr);
                before[i] = g;
            }
        }
        assert_close(&values, &theta, 1e-11);
    }

    #[test]
    fn lamb_is_algorithm_2(
        lr in 1e-4..0.1f64, beta1 in 0.0..0.99f64, beta2 in 0.0..0.999f64, wd in 0.0..0.5f64,
        norm_min in 0.0..3.0f64, width in 0.0..3.0f64, maximize: bool,
    ) {
        let norm_range = (norm_min, norm_min + width);
        let lamb = Lamb { lr, betas: (beta1, beta2), eps: 1e-6, weight_decay: wd, norm_range, maximize };
        let (mut values, mut x, mut m, mut v) = (start(N), start(N), vec![0.0; N], vec![0.0; N]);
        let mut state = lamb.state(&[2, 3]).unwrap();
        for t in 1..=N_STEPS {
            lamb.update(&[2, 3], &mut values, &gradient(t, N), &mut state);
            let mut u = vec![0.0; N];
            for (i, g) in gradient(t, N).into_iter().enumerate() {
                let g = if maximize { -g } else { g };
                m[i] = beta1 * m[i] + (1.0 - beta1) * g;
                v[i] = beta2 * v[i] + (1.0 - beta2) * g * g;
                let m_hat = m[i] / (1.0 - beta1.powi(t as i32));
                let v_hat = v[i] / (1.0 - beta2.powi(t as i32));
                u[i] = m_hat / (v_hat.sqrt() + 1e-6) + wd * x[i];
            }
            let phi = norm(&x).max(norm_range.0).min(norm_range.1);
            let ratio = if phi == 0.0 || norm(&u) == 0.0 { 1.0 } else { phi / norm(&u) };
            x.iter_mut().zip(&u).for_each(|(x, u)| *x -= lr * ratio * u);
        }
        assert_close(&values, &x, 1e-10);
    }

    #[test]
    fn lars_is_algorithm_1(
        lr in 0.01..2.0f64, momentum in 0.0..0.95f64, wd in 0.0..0.1f64, eta in 1e-4..0.1f64, maximize: bool,
    ) {
        let lars = Lars { lr, momentum, weight_decay: wd, trust_coefficient: eta, maximize };
        let (mut values, mut w, mut v) = (start(N), start(N), vec![0.0; N]);
        let mut state = lars.state(&[N]).unwrap();
        for t in 1..=N_STEPS {
            lars.update(&[N], &mut values, &gradient(t, N), &mut state);
            let g: Vec<f64> = gradient(t, N).iter().map(|&g| if maximize { -g } else { g }).collect();
            let ratio = eta * norm(&w) / (norm(&g) + wd * norm(&w));
            for i in 0..N {
                v[i] = momentum * v[i] + lr * ratio * (g[i] + wd * w[i]);
                w[i] -= v[i];
            }
        }
        assert_close(&values, &w, 1e-10);
    }
}

#[test]
fn a_tensor_of_zeros_can_leave_its_place() {
    let grads = [1.0, -2.0];
    let mut values = [0.0; 2];
    let lamb = Lamb { lr: 0.1, ..Lamb::default() };
    lamb.update(&[2], &mut values, &grads, &mut lamb.state(&[2]).unwrap());
    assert_close(&values, &[-0.1, 0.1], 1e-5);

    let mut values = [0.0; 2];
    let lars = Lars { lr: 0.1, ..Lars::default() };
    lars.update(&[2], &mut values, &grads, &mut lars.state(&[2]).unwrap());
    assert_close(&values, &[-0.1, 0.2], 1e-12);
}

#[test]
fn a_zero_gradient_leaves_lars_to_its_weight_decay() {
    let lars = Lars { lr: 0.5, weight_decay: 0.1, ..Lars::default() };
    let mut values = [2.0, -4.0];
    lars.update(&[2], &mut values, &[0.0; 2], &mut lars.state(&[2]).unwrap());
    assert_close(&values, &[1.9, -3.8], 1e-12);
}

type Matrix = Vec<Vec<f64>>;

fn transposed(a: &Matrix) -> Matrix {
    (0..a[0].len()).map(|j| a.iter().map(|row| row[j]).collect()).collect()
}

fn times(a: &Matrix, b: &Matrix) -> Matrix {
    let b = transposed(b);
    a.iter().map(|row| b.iter().map(|col| row.iter().zip(col).map(|(x, y)| x * y).sum()).collect()).collect()
}

/// x·a + y·b.
fn combined(x: f64, a: &Matrix, y: f64, b: &Matrix) -> Matrix {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| x * a + y * b).collect()).collect()
}

/// Jordan's `zeropower_via_newtonschulz5`.
fn newton_schulz(g: &Matrix, (a, b, c): (f64, f64, f64), n_steps: usize, eps: f64) -> Matrix {
    if g.len() > g[0].len() {
        return transposed(&newton_schulz(&transposed(g), (a, b, c), n_steps, eps));
    }
    let norm = g.iter().flatten().map(|x| x * x).sum::<f64>().sqrt().max(eps);
    let mut x = combined(1.0 / norm, g, 0.0, g);
    for _ in 0..n_steps {
        let gram = times(&x, &transposed(&x));
        let polynomial = combined(b, &gram, c, &times(&gram, &gram));
        x = combined(a, &x, 1.0, &times(&polynomial, &x));
    }
    x
}

fn muon_reference(muon: &Muon, rows: usize, cols: usize) -> Vec<f64> {
    let as_matrix = |x: &[f64]| -> Matrix { x.chunks(cols).map(<[f64]>::to_vec).collect() };
    let (mut w, mut buffer) = (as_matrix(&start(rows * cols)), as_matrix(&vec![0.0; rows * cols]));
    let (r, c) = (rows as f64, cols as f64);
    let adjusted = match muon.adjust_lr {
        LrAdjustment::Original => (r / c).max(1.0).sqrt(),
        LrAdjustment::MatchRmsAdamw => 0.2 * r.max(c).sqrt(),
        LrAdjustment::SpectralUnclamped => (r / c).sqrt(),
    };
    for t in 1..=N_STEPS {
        let g = as_matrix(&gradient(t, rows * cols));
        buffer = combined(muon.momentum, &buffer, 1.0 - muon.momentum, &g);
        let u = if muon.nesterov {
            combined(muon.momentum, &buffer, 1.0 - muon.momentum, &g)
        } else {
            buffer.clone()
        };
        let x = newton_schulz(&u, muon.ns_coefficients, muon.ns_steps, muon.eps);
        w = combined(1.0 - muon.lr * muon.weight_decay, &w, -muon.lr * adjusted, &x);
    }
    w.concat()
}

#[test]
fn muon_is_jordans_with_3_and_5_steps_at_any_shape() {
    let default = Muon { lr: 0.02, ..Muon::default() };
    for shape in [[4, 4], [2, 7], [9, 3], [1, 5], [5, 1], [20, 33]] {
        for muon in [
            default,
            Muon { ns_steps: 3, nesterov: false, ..default },
            Muon { adjust_lr: LrAdjustment::MatchRmsAdamw, momentum: 0.5, ..default },
            Muon { adjust_lr: LrAdjustment::SpectralUnclamped, weight_decay: 0.0, eps: 5.0, ..default },
        ] {
            let [rows, cols] = shape;
            let mut values = start(rows * cols);
            let mut state = muon.state(&shape).unwrap();
            for t in 1..=N_STEPS {
                muon.update(&shape, &mut values, &gradient(t, rows * cols), &mut state);
            }
            assert_close(&values, &muon_reference(&muon, rows, cols), 1e-9);
        }
    }
}

#[test]
fn muon_flattens_a_kernel() {
    let muon = Muon { lr: 0.02, ..Muon::default() };
    let (mut values, mut flat) = (start(3 * 2 * 2), start(3 * 2 * 2));
    let (mut state, mut flat_state) = (muon.state(&[3, 2, 2]).unwrap(), muon.state(&[3, 4]).unwrap());
    for t in 1..=20 {
        muon.update(&[3, 2, 2], &mut values, &gradient(t, 12), &mut state);
        muon.update(&[3, 4], &mut flat, &gradient(t, 12), &mut flat_state);
    }
    assert_eq!(values, flat);
}

#[test]
fn muon_refuses_a_vector() {
    let error = WholeTensor::<f32>::state(&Muon::default(), &[8]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "parameter `values`: muon takes two dimensions or more, not shape [8]: set the parameter's shape \
         with `Param::with_shape`, or choose another rule with `Groups::rule`"
    );
}

/// ‖X·Xᵀ − I‖ is small for the momentum that Muon has made orthogonal with the classical coefficients.
#[test]
fn muons_steps_are_orthogonal() {
    let muon = Muon {
        lr: 1.0,
        weight_decay: 0.0,
        ns_coefficients: (1.875, -1.25, 0.375),
        ns_steps: 40,
        ..Muon::default()
    };
    let grads = gradient(3, 12);
    let mut values = vec![0.0; 12];
    muon.update(&[3, 4], &mut values, &grads, &mut muon.state(&[3, 4]).unwrap());
    let x: Matrix = values.chunks(4).map(<[f64]>::to_vec).collect();
    for (i, row) in times(&x, &transposed(&x)).iter().enumerate() {
        for (j, entry) in row.iter().enumerate() {
            let expected = if i == j { 1.0 } else { 0.0 };
            assert!((entry - expected).abs() < 1e-9, "entry {i}, {j} is {entry}");
        }
    }
}

/// From step t0 + 2 on, `ax` is the mean of the points.
#[test]
fn asgd_averages_its_points() {
    let asgd = Asgd { lr: 0.1, t0: 3.0, ..Asgd::default() };
    let (mut values, mut points) = (start(5), Vec::new());
    let mut state = Elementwise::<f64>::state(&asgd, 5).unwrap();
    for t in 1..=12 {
        asgd.update(&mut values, &gradient(t, 5), &mut state);
        points.push(values.clone());
        let averaged = &points[points.len().min(5) - 1..];
        let mean: Vec<f64> =
            (0..5).map(|i| averaged.iter().map(|w| w[i]).sum::<f64>() / averaged.len() as f64).collect();
        let (_, ax) = state.slots().next().unwrap();
        assert_close(ax, &mean, 1e-13);
    }
}

/// A matrix whose columns or rows all stand there several times has the same means, and so the same steps: a large
/// one, that threads and strips share, moves as a small one.
#[test]
fn adafactor_moves_a_repeated_matrix_as_the_one() {
    let (rows, cols) = (18, 23);
    let small = start(rows * cols);
    for (n_down, n_across) in [(1, 150), (160, 1), (13, 11)] {
        let shape = [rows * n_down, cols * n_across];
        let repeated = |small: &[f64]| -> Vec<f64> {
            (0..shape[0] * shape[1])
                .map(|i| small[i / shape[1] % rows * cols + i % shape[1] % cols])
                .collect()
        };
        let rule = Adafactor::default();
        let (mut one, mut many) = (small.clone(), repeated(&small));
        let mut state = WholeTensor::<f64>::state(&rule, &[rows, cols]).unwrap();
        let mut large_state = WholeTensor::<f64>::state(&rule, &shape).unwrap();
        for t in 1..=5 {
            let grads = gradient(t, rows * cols);
            rule.update(&[rows, cols], &mut one, &grads, &mut state);
            rule.update(&shape, &mut many, &repeated(&grads), &mut large_state);
            assert_close(&many, &repeated(&one), 1e-12);
        }
    }
}

/// Where the mean square is under ε₁², the gradient is divided by ε₁.
#[test]
fn adafactor_divides_by_no_less_than_eps1() {
    let rule = Adafactor { eps: (Some(1e-3), 1e-3), ..Adafactor::default() };
    for shape in [vec![6], vec![2, 3]] {
        let mut values = [1.0; 6];
        let mut state = WholeTensor::<f64>::state(&rule, &shape).unwrap();
        rule.update(&shape, &mut values, &[1e-4; 6], &mut state);
        assert_close(&values, &[1.0 - rule.lr * 0.1; 6], 1e-13);
    }
}
