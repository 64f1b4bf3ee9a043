//! Networks as text, both ways.

use nn::config::Registry;
use nn::{Init, Linear, Residual, Sequential};

/// A layer of every kind, each with options that are not its defaults.
const EVERY_LAYER: &str = "\
Sequential(
  (stem): Linear(in_features=3, out_features=4, bias=False, weight_init=XavierNormal)
  (block): Residual(
    (body): Sequential(
      fuse=False
      (0): Linear(in_features=4, out_features=4, bias=True, weight_init=0.5, bias_value=0.25)
    )
    (shortcut): Linear(in_features=4, out_features=4, bias=True)
  )
  (2): Recompute(Sequential(
    (0): Linear(in_features=4, out_features=4, bias=True)
  ))
)";

fn read(text: &str) -> Sequential {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn error(text: &str) -> String {
    text.parse::<Sequential>().expect_err(text).to_string()
}

#[test]
fn every_layer_is_read_as_it_is_written() {
    assert_eq!(read(EVERY_LAYER).config(), EVERY_LAYER);
    for name in Registry::new().names() {
        assert!(
            EVERY_LAYER.contains(&format!("{name}(")),
            "EVERY_LAYER has no {name}: give it one, with options"
        );
    }
}

#[test]
fn options_are_those_of_the_builders() {
    let net = Sequential::new()
        .add_named("block", Residual::new(Linear::new(5, 5).bias(false)))
        .add(Linear::new(5, 3).weight_init(Init::Constant(0.5)).bias_value(1.0))
        .fuse(false);
    assert_eq!(
        net.config(),
        "Sequential(
  fuse=False
  (block): Residual(
    (body): Linear(in_features=5, out_features=5, bias=False)
  )
  (1): Linear(in_features=5, out_features=3, bias=True, weight_init=0.5, bias_value=1.0)
)"
    );
    assert_eq!(read(&net.config()).config(), net.config());
    assert_eq!(
        nn::build(net.clone(), 0).0.config(),
        net.config(),
        "built or not, a network is written alike"
    );
}

#[test]
fn short_forms_and_remarks() {
    let short = "Linear(4, 8)   # a hidden layer\n\nLinear(8, 8), nn.Linear(8, 2)";
    let net = Sequential::new().add(Linear::new(4, 8)).add(Linear::new(8, 8)).add(Linear::new(8, 2));
    assert_eq!(read(short).config(), net.config());
    assert_eq!(read("Sequential(Linear(4, 8) | Linear(8, 8) | Linear(8, 2))").config(), net.config());
    assert_eq!(read("").config(), Sequential::new().config());
}

#[test]
fn an_error_names_the_line_and_what_could_stand_there() {
    let deep = "Residual(".repeat(1000);
    for (text, expected) in [
        ("Linear(4, 2)\nLinaer(2, 2)", "line 2: there is no layer `Linaer`; there are Linear, "),
        ("Linear(4)", "line 1: Linear needs `out_features`"),
        ("Linear(4, 2, bias=maybe)", "line 1: Linear: `bias` is `maybe`, expected True or False"),
        ("Linear(4, -2)", "line 1: Linear: `out_features` is `-2`, expected a whole number"),
        (
            "Linear(4, 2, True, 3)",
            "line 1: Linear has no argument for `3`; it has in_features, out_features, bias, ",
        ),
        ("Linear(4, 2, Linear(1, 1))", "line 1: Linear takes no layer such as Linear"),
        (
            "Sequential(\n  (a): Linear(1, 1)\n  (a): Linear(1, 1)\n)",
            "line 3: there are two layers called `a`",
        ),
        ("Residual(\n)", "line 1: Residual needs the layer `(body): …`"),
        ("Recompute()", "line 1: Recompute needs a layer"),
        (
            "Sequential(\n  Linear(4, 2)\n",
            "line 2: the text ends where `)` is due, for `Sequential` of line 1",
        ),
        ("Linear(4, 2))", "line 1: `)` closes nothing"),
        ("Linear(4, 2)\n@", "line 2: '@' has no meaning here"),
        ("Linear(weight_init='Default)", "line 1: the text that ' begins has no end"),
        ("Linear(bias=)", "line 1: `)` where a layer or a value is due"),
        ("Linear(bias=", "line 1: the text ends where a layer or a value is due"),
        (&deep, "line 1: layers lie more than 64 deep"),
    ] {
        let error = error(text);
        assert!(error.starts_with(expected), "{text}\n gives: {error}\n expected: {expected}");
    }
}
