//! What the gradient check finds: each fault that a backward pass can have, and the sentence that names it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use autograd::gradcheck::GradCheck;
use autograd::{Backward, Forward, Graph, Op, Params, Role, ShapeError, Var};
use tensor::{Beta, Shape};

/// y = a · b, with a fault in the gradient of a.
#[derive(Clone, Copy)]
struct Product(Fault);

#[derive(Clone, Copy)]
enum Fault {
    None,
    Factor,
    LastElement,
    Overwrites,
    Unwritten,
    OnlyWithBoth,
    Forward,
}

impl Op for Product {
    fn name(&self) -> &'static str {
        "product"
    }

    fn output_shape(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        Ok(inputs[0])
    }

    fn forward(&self, f: Forward<'_>) {
        let (a, b) = (f.inputs.value(0), f.inputs.value(1));
        let shift = if matches!(self.0, Fault::Forward) { 0.1 } else { 0.0 };
        f.output.iter_mut().zip(a.iter().zip(b)).for_each(|(y, (a, b))| *y = a * b + shift);
    }

    fn backward(&self, mut b: Backward<'_>) {
        let (x0, x1, dy) = (b.inputs.value(0), b.inputs.value(1), b.dy);
        let needs_both = b.grads.needs(0) && b.grads.needs(1);
        if let Some(mut da) = b.grads.get(0) {
            let last = da.data.len() - 1;
            let factor = |i| match self.0 {
                Fault::Factor => 1.1,
                Fault::LastElement if i == last => -1.0,
                Fault::OnlyWithBoth if !needs_both => 2.0,
                _ => 1.0,
            };
            match self.0 {
                Fault::Overwrites => da.beta = Beta::Zero,
                Fault::Unwritten => da.data = &mut std::mem::take(&mut da.data)[1..],
                _ => {}
            }
            let skipped = last + 1 - da.data.len();
            da.write(|i| factor(i) * dy[i + skipped] * x1[i + skipped]);
        }
        if let Some(db) = b.grads.get(1) {
            db.write(|i| dy[i] * x0[i]);
        }
    }
}

fn check<'a>(fault: Fault) -> GradCheck<'a> {
    GradCheck::new(move |g: &Graph<'_>, v: &[Var]| g.apply(Product(fault), v)).random([2, 2]).random([2, 2])
}

/// What the check says, with the reference and without one.
fn says(fault: Fault) -> [String; 2] {
    let reference = |x: &[Vec<f64>]| x[0].iter().zip(&x[1]).map(|(a, b)| a * b).collect();
    [check(fault).reference(reference), check(fault)].map(|check| {
        let panic = catch_unwind(AssertUnwindSafe(|| check.run())).err();
        panic.map_or(String::new(), |panic| panic.downcast_ref::<String>().expect("a message").clone())
    })
}

#[test]
fn what_is_right_passes() {
    assert_eq!(says(Fault::None), ["", ""]);
}

#[test]
fn a_fault_is_named_with_its_place() {
    for (fault, expected) in [
        (
            Fault::Factor,
            "gradient check: the gradient of input 0 of shape [2, 2] is wrong at 4 of 4 elements; at element ",
        ),
        (
            Fault::LastElement,
            "the gradient of input 0 of shape [2, 2] is wrong at 1 of 4 elements; at element 3 it is ",
        ),
        (
            Fault::Overwrites,
            "the gradient of input 0 of shape [2, 2], recorded twice on the same inputs is wrong at 4 of 4",
        ),
        (
            Fault::Unwritten,
            "the gradient of input 0 of shape [2, 2] is wrong at 1 of 4 elements; at element 0 it is ",
        ),
        (
            Fault::OnlyWithBoth,
            "input 0 of shape [2, 2] has a different gradient when it is the only input that needs one",
        ),
    ] {
        for says in says(fault) {
            assert!(says.contains(expected), "{says}");
        }
    }
}

#[test]
fn a_forward_that_the_reference_does_not_have_is_named() {
    let [with_reference, without] = says(Fault::Forward);
    assert!(
        with_reference.contains("the output is wrong at 4 of 4 elements; at element "),
        "{with_reference}"
    );
    assert_eq!(without, "", "the gradient is that of the forward");
}

#[test]
fn parameters_are_checked_by_their_names() {
    let mut params = Params::new();
    let scale = params.add("scale", [2], Role::Trainable);
    let frozen = params.add("frozen", [2], Role::Trainable);
    params.freeze("frozen").unwrap();
    params.values_mut().copy_from_slice(&[0.5, -1.5, 1.0, 2.0]);
    let run = |fault: Fault| {
        let record = |g: &Graph<'_>, v: &[Var]| {
            let y = g.apply(Product(fault), &[g.param(scale), v[0]]);
            g.mul(y, g.param(frozen))
        };
        let check = GradCheck::new(record).params(&params).random([2]);
        catch_unwind(AssertUnwindSafe(|| check.run()))
    };
    assert!(run(Fault::None).is_ok());
    let panic = run(Fault::Factor).expect_err("a wrong gradient");
    let says = panic.downcast_ref::<String>().expect("a message");
    assert!(says.contains("the gradient of parameter \"scale\" of shape [2] is wrong at 2 of 2"), "{says}");
}

#[test]
#[should_panic(expected = "GradCheck: 3 values do not fill the shape [2, 2]")]
fn values_that_do_not_fill_their_shape() {
    let _ = check(Fault::None).input([2, 2], &[0.0; 3]);
}
