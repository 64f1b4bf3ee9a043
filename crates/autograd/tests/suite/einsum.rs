//! `einsum` against the sum that its equation says, and its gradients against the equations that those are.

use autograd::{Graph, Mode, ParamId, Params, Role, Tape, Var};

use crate::numbers::numbers;

/// The size of the axis behind a letter; that of the 1 is 1.
fn size(letter: char) -> usize {
    if letter == '1' { 1 } else { 2 + "ijklmb".find(letter).expect("a letter of the tests") % 3 }
}

fn shape(labels: &str) -> Vec<usize> {
    labels.chars().map(size).collect()
}

fn numel(labels: &str) -> usize {
    shape(labels).iter().product()
}

/// Σ of products, over every assignment of indices to letters.
fn expected(inputs: &[(&str, &[f32])], output: &str) -> Vec<f64> {
    let mut letters: Vec<char> = inputs.iter().flat_map(|(labels, _)| labels.chars()).collect();
    letters.sort_unstable();
    letters.dedup();
    let n_terms: usize = letters.iter().map(|&letter| size(letter)).product();
    let mut sums = vec![0.0; numel(output)];
    for term in 0..n_terms {
        let mut rest = term;
        let at: Vec<(char, usize)> = letters
            .iter()
            .map(|&letter| {
                let idx = rest % size(letter);
                rest /= size(letter);
                (letter, idx)
            })
            .collect();
        let flat = |labels: &str| {
            labels.chars().fold(0, |flat, letter| {
                flat * size(letter) + at.iter().find(|(other, _)| *other == letter).expect("it is there").1
            })
        };
        let product: f64 = inputs.iter().map(|(labels, x)| f64::from(x[flat(labels)])).product();
        sums[flat(output)] += product;
    }
    sums
}

#[track_caller]
fn assert_close(actual: &[f32], expected: &[f64], what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (actual, expected) in actual.iter().zip(expected) {
        assert!((f64::from(*actual) - expected).abs() < 2e-5, "{what}: {actual} instead of {expected}");
    }
}

/// The equations, and the result's letters where no arrow tells them.
const EQUATIONS: &[(&str, &str)] = &[
    // One operand: transposes, sums.
    ("ijk->kij", "kij"),
    ("ijk->ki", "ki"),
    ("ijk->", ""),
    ("ijk -> ijk", "ijk"),
    ("kji", "ijk"),
    // Two: dot products, matrix products in every orientation, with sums and batches.
    ("i,i->", ""),
    ("i,i", ""),
    ("ij,jk->ik", "ik"),
    ("ij,jk->ki", "ki"),
    ("ji,jk->ik", "ik"),
    ("ij,kj->ik", "ik"),
    ("ji,kj->ik", "ik"),
    ("ij,jk", "ik"),
    ("kj,ij", "ik"),
    ("bij,bjk->bik", "bik"),
    ("bij, bjk -> bki", "bki"),
    ("bji,bkj->bik", "bik"),
    ("bij,jk->bik", "bik"),
    ("ij,bjk->bik", "bik"),
    ("bij,bij->b", "b"),
    ("bij,bij->ij", "ij"),
    ("bi,bj->ij", "ij"),
    ("bi,bj->ji", "ji"),
    ("bijk,bkl->bijl", "bijl"),
    ("bijk,bikl->bijl", "bijl"),
    ("bjki,bljk->bil", "bil"),
    ("bjki,blkj->bil", "bil"),
    ("ibj,jbk->bik", "bik"),
    ("bij,bkl->bil", "bil"),
    ("ij,kl->", ""),
    // Nothing is summed over both.
    ("i,j->ij", "ij"),
    ("i,j->ji", "ji"),
    ("bi,bj->bij", "bij"),
    ("ij,ij->ij", "ij"),
    ("ij,ji->ij", "ij"),
    ("ij,j->ij", "ij"),
    ("bij,ijk->bik", "bik"),
    ("bkij,ijl->bikl", "bikl"),
    ("bij,bik->jki", "jki"),
    ("bijk,bijl->ikl", "ikl"),
    ("bij,bik->ij", "ij"),
    (",ij->ij", "ij"),
];

/// Equations, the axes of their operands and of the result: a 1 is an axis that is repeated.
const REPEATED: &[(&str, &[&str], &str)] = &[
    ("...ij,...jk->...ik", &["ij", "jk"], "ik"),
    ("...ij,...jk->...ik", &["bij", "bjk"], "bik"),
    ("...ij, ...jk -> ...ki", &["mbij", "mbjk"], "mbki"),
    ("...ij,...jk->...ik", &["mbij", "bjk"], "mbik"),
    ("...ij,...jk->...ik", &["ij", "mbjk"], "mbik"),
    ("...ij,...jk->...ik", &["mbij", "m1jk"], "mbik"),
    ("...ij,...jk->...ik", &["1bij", "m1jk"], "mbik"),
    ("...ij,jk->...ik", &["mbij", "jk"], "mbik"),
    ("...i,...i->...", &["mbi", "1i"], "mb"),
    ("...,...->...", &["ij", "j"], "ij"),
    ("i...,j...->...ij", &["ib", "jb"], "bij"),
    ("...ij->...ji", &["mbij"], "mbji"),
    ("i...->...", &["ibm"], "bm"),
    ("i...j", &["jmi"], "mji"),
    // Without it after the arrow its axes are summed over.
    ("...i->i", &["mbi"], "i"),
    ("...i,...j->ij", &["bi", "1j"], "ij"),
    ("i->...i", &["i"], "i"),
    // Without an arrow its axes come first.
    ("j...,...i", &["jb", "bi"], "bij"),
    // A letter's axis is repeated too, whether the letter is summed over or not.
    ("ij,jk->ik", &["i1", "jk"], "ik"),
    ("bij,bjk->bik", &["1ij", "bjk"], "bik"),
    ("bij,bjk->bik", &["bij", "1jk"], "bik"),
    ("ij,ij->ij", &["i1", "1j"], "ij"),
    ("i,i->", &["1", "i"], ""),
    ("bij,bkj->bik", &["bi1", "1kj"], "bik"),
];

#[test]
fn values_and_gradients_are_the_sums_that_the_equations_say() {
    for &(equation, output) in EQUATIONS {
        let inputs: Vec<&str> = equation.split("->").next().unwrap().split(',').map(str::trim).collect();
        check(equation, &inputs, output);
    }
    for &(equation, inputs, output) in REPEATED {
        check(equation, inputs, output);
    }
}

#[track_caller]
fn check(equation: &str, inputs: &[&str], output: &str) {
    let values: Vec<Vec<f32>> =
        inputs.iter().enumerate().map(|(i, labels)| numbers(numel(labels), i as u64)).collect();
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let mut g = tape.begin(&mut params, Mode::train(0, 0));
    let vars: Vec<Var> =
        inputs.iter().zip(&values).map(|(labels, x)| g.variable(&shape(labels)[..], x)).collect();
    let y = g.einsum(equation, &vars);
    assert_eq!(g.shape(y).dims(), shape(output), "{equation}");
    let inputs: Vec<String> = inputs.iter().map(|labels| labels.replace('1', "")).collect();
    let named: Vec<(&str, &[f32])> =
        inputs.iter().map(String::as_str).zip(values.iter().map(Vec::as_slice)).collect();
    assert_close(g.value(y), &expected(&named, output), equation);

    let dy = numbers(numel(output), 9);
    let loss = g.sum(g.mul(y, g.input(g.shape(y), &dy)));
    g.backward(loss);
    for i in 0..inputs.len() {
        // The operand's place is taken by dy; letters that stand in it alone are summed over ones.
        let ones = vec![1.0; numel(&inputs[i])];
        let mut others = named.clone();
        others[i] = (&inputs[i], &ones);
        others.push((output, &dy));
        let dx = g.grad(vars[i]).expect("it was asked for");
        assert_close(dx, &expected(&others, &inputs[i]), &format!("gradient {i} of {equation}"));
    }
}

/// Over the images of a batch and over their pixels, nothing is moved from the first axis.
#[test]
fn parameters_and_images_meet_as_in_the_layers() {
    let (mut tape, mut params) = (Tape::new(), Params::new());
    let w: ParamId = params.add("w", [3, 5], Role::Trainable);
    params.value_mut(w).copy_from_slice(&numbers(15, 1));
    let g = tape.begin(&mut params, Mode::train(0, 0));
    let x = g.input([4, 2, 5], &numbers(40, 2));
    let y = g.einsum("nti,oi->nto", &[x, g.param(w)]);
    assert!(g.has_images(y));
    assert!(g.has_images(g.einsum("nto,nso->nts", &[y, y])));
    assert!(!g.has_images(g.einsum("nto,nti->oi", &[y, x])));
    assert!(g.has_images(g.einsum("...i,oi->...o", &[x, g.param(w)])));
    assert!(g.has_images(g.einsum("oi,...i->...o", &[g.param(w), x])));
    assert!(!g.has_images(g.einsum("...o,...i->oi", &[y, x])));
}

#[test]
fn what_cannot_be_read_is_refused_with_the_equation() {
    let table: &[(&str, &[&[usize]], &str)] = &[
        (
            "ij,jk->ik",
            &[&[2, 3]],
            "\"ij,jk->ik\": it names 2 operands, found 1; give one for each term before the arrow",
        ),
        (
            "i,j,k->ijk",
            &[&[2], &[2]],
            "\"i,j,k->ijk\": it names more than two operands; multiply two at a time",
        ),
        (
            "..i->i",
            &[&[2]],
            "\"..i->i\": '.' cannot name an axis; write letters, \"...\", commas between operands and one \"->\", \
             as in \"bij,bjk->bik\"",
        ),
        (
            "i->j->k",
            &[&[2]],
            "\"i->j->k\": '-' cannot name an axis; write letters, \"...\", commas between operands and one \
             \"->\", as in \"bij,bjk->bik\"",
        ),
        ("...i...->i", &[&[2]], "\"...i...->i\": \"...\" appears twice in \"...i...\"; write it once"),
        (
            "i...j->i",
            &[&[3]],
            "\"i...j->i\": \"i...j\" names 2 axes beside the ellipsis, the operand [3] has 1",
        ),
        (
            "...i,...i->...",
            &[&[3, 2], &[4, 2]],
            "\"...i,...i->...\": an axis of \"...\" is 3 in [3, 2] and 4 in [4, 2]; make the sizes equal, or one \
             of them 1",
        ),
        ("ii->i", &[&[2, 2]], "\"ii->i\": 'i' appears twice in \"ii\"; diagonals are not supported"),
        ("ij->ijj", &[&[2, 2]], "\"ij->ijj\": 'j' appears twice in \"ijj\"; diagonals are not supported"),
        (
            "ij->ik",
            &[&[2, 3]],
            "\"ij->ik\": 'k' after the arrow is in none of the operands; use only letters of the operands",
        ),
        (
            "ij->i",
            &[&[2, 3, 4]],
            "\"ij->i\": \"ij\" names 2 axes, the operand [2, 3, 4] has 3; give each axis a letter",
        ),
        (
            "ij,jk->ik",
            &[&[2, 3], &[4, 5]],
            "\"ij,jk->ik\": 'j' is 3 in [2, 3] and 4 in [4, 5]; make the sizes equal, or one of them 1",
        ),
        (
            "abcd,efgh->abcdefgh",
            &[&[1; 4], &[1; 4]],
            "\"abcd,efgh->abcdefgh\": a term has more than 6 axes, the maximum",
        ),
    ];
    for (equation, shapes, message) in table {
        let refusal = std::panic::catch_unwind(|| {
            let (mut tape, mut params) = (Tape::new(), Params::new());
            let g = tape.begin(&mut params, Mode::train(0, 0));
            let ones = |g: &Graph<'_>, dims: &[usize]| g.input(dims, &vec![1.0; dims.iter().product()]);
            let vars: Vec<Var> = shapes.iter().map(|dims| ones(&g, dims)).collect();
            g.scope("mix", |g| g.einsum(equation, &vars));
        });
        let refusal = *refusal.expect_err("it must refuse").downcast::<String>().expect("a message");
        assert_eq!(refusal, format!("einsum at layer \"mix\": {message}"));
    }
}
