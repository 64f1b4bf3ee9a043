//! The descent paths of the lecture: one parameter, one slice, no network.
//!
//! `cargo run -p optim --example descent_paths`

use std::f64::consts::PI;

use optim::{Adam, Elementwise, RmsProp, Sgd};

/// x·cos(0.15πx), which has minima at −13.66, −1.83, 7.27 and 20.22.
fn f(x: f64) -> f64 {
    x * (0.15 * PI * x).cos()
}

fn df(x: f64) -> f64 {
    let phase = 0.15 * PI * x;
    phase.cos() - phase * phase.sin()
}

fn show(title: &str, rule: impl Elementwise<f64>, start: f64, n_steps: usize) -> Result<(), optim::Error> {
    let mut x = [start];
    let mut state = rule.state(1)?;
    print!("{title:<34} {start:>7.3}");
    for step in 1..=n_steps {
        let gradient = [df(x[0])];
        rule.update(&mut x, &gradient, &mut state);
        if n_steps <= 10 || step % 5 == 0 {
            print!(" {:>7.3}", x[0]);
        }
    }
    println!("   f = {:.3}", f(x[0]));
    Ok(())
}

fn main() -> Result<(), optim::Error> {
    println!("Descent on x·cos(0.15πx); with more than ten steps every fifth point.\n");
    for lr in [0.3, 1.3, 2.0] {
        show(&format!("gradient descent, lr {lr}"), Sgd { lr, ..Sgd::default() }, 10.0, 10)?;
    }
    for lr in [0.5, 2.7, 3.5] {
        show(&format!("gradient descent, lr {lr}"), Sgd { lr, ..Sgd::default() }, -7.0, 5)?;
    }
    println!();
    for momentum in [0.0, 0.6, 0.9] {
        let sgd = Sgd { lr: 1.1, momentum, averaged: true, ..Sgd::default() };
        show(&format!("averaged momentum {momentum}"), sgd, -7.0, 35)?;
    }
    println!();
    for alpha in [0.0, 0.7, 0.9] {
        let rmsprop = RmsProp { lr: 0.5, alpha, ..RmsProp::default() };
        show(&format!("RMSProp, mean square {alpha}"), rmsprop, 12.0, 10)?;
    }
    for (title, bias_correction) in [("raw", false), ("corrected", true)] {
        println!();
        for beta1 in [0.0, 0.6, 0.9] {
            for beta2 in [0.0, 0.6, 0.9] {
                let adam = Adam { lr: 0.7, betas: (beta1, beta2), bias_correction, ..Adam::default() };
                show(&format!("Adam, {title}, {beta1} and {beta2}"), adam, 15.0, 20)?;
            }
        }
    }
    Ok(())
}
