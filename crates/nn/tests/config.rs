//! Networks as text, both ways.

use autograd::{Graph, Indices, Mode, Tape, Var};
use nn::config::{Args, Describe, Registry, described};
use nn::{
    Init, Layer, LayerNorm, Linear, Parallel, ReLU, Residual, Sequential, SequentialOver, Tanh,
    TransformerDecoder, TransformerDecoderLayer, models,
};

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
  (images): Sequential(
    (0): Conv2d(4, 8, kernel_size=(3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2, bias=False, padding_mode=reflect, weight_init=HeUniform, algorithm=Im2col)
    (1): Conv2d(4, 8, kernel_size=(3, 3), stride=(1, 1), padding=same)
    (2): Conv1d(4, 8, kernel_size=(3,), stride=(2,), padding=(1,), dilation=(2,), groups=2, bias=False, padding_mode=circular)
    (3): Conv1d(4, 8, kernel_size=(3,), stride=(1,), padding=same)
    (4): ConvTranspose1d(4, 8, kernel_size=(3,), stride=(2,), output_padding=(1,))
    (5): ConvTranspose2d(4, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), output_padding=(1, 1))
    (6): MaxPool2d(kernel_size=3, stride=2, padding=1, dilation=2, ceil_mode=True)
    (7): AvgPool2d(kernel_size=(2, 1), stride=1, count_include_pad=False)
    (8): MaxPool1d(kernel_size=3, stride=2)
    (9): AvgPool1d(kernel_size=2, stride=2, padding=1)
    (10): AdaptiveAvgPool2d(output_size=(3, 2))
    (11): AdaptiveMaxPool2d(output_size=2)
    (12): AdaptiveAvgPool1d(output_size=3)
    (13): AdaptiveMaxPool1d(output_size=2)
    (14): Upsample(scale_factor=2.0, mode='bilinear', align_corners=True)
    (15): Upsample(size=(8, 6), mode='nearest')
    (16): PixelShuffle(upscale_factor=2)
    (17): PixelUnshuffle(downscale_factor=2)
    (18): ZeroPad2d((1, 2, 3, 4))
    (19): ReflectionPad2d((1, 2, 3, 4))
    (20): ReplicationPad2d((1, 2, 3, 4))
    (21): CircularPad2d((1, 2, 3, 4))
    (22): ConstantPad2d(padding=(1, 2, 3, 4), value=0.5)
    (23): ZeroPad1d((1, 2))
    (24): ReflectionPad1d((1, 2))
    (25): ReplicationPad1d((1, 2))
    (26): CircularPad1d((1, 2))
    (27): ConstantPad1d(padding=(1, 2), value=0.5)
    (28): GlobalAvgPool2d()
    (29): Unflatten(dim=1, unflattened_size=(7, 7, 128))
    (30): Flatten(start_dim=2)
    (31): Flatten()
    (32): Flatten(start_dim=1, end_dim=2)
    (33): Scale(0.5)
    (34): BasicBlock(
      (downsample): Sequential(
        (0): Conv2d(16, 32, kernel_size=(1, 1), stride=(2, 2), bias=False, weight_init=HeNormalFanOut)
        (1): BatchNorm2d(32, eps=1e-5, momentum=0.1)
      )
      (conv1): Conv2d(16, 32, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), bias=False, weight_init=HeNormalFanOut)
      (bn1): BatchNorm2d(32, eps=1e-5, momentum=0.1)
      (relu): ReLU()
      (conv2): Conv2d(32, 32, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False, weight_init=Dirac)
      (bn2): BatchNorm2d(32, eps=1e-5, momentum=0.1)
    )
  )
  (norms): Sequential(
    (0): BatchNorm1d(8, eps=0.001, momentum=None, affine=False)
    (1): BatchNorm2d(8, eps=1e-5, momentum=0.25, track_running_stats=False, scale=False)
    (2): GroupNorm(2, 8, eps=0.001, affine=True, bias=False)
    (3): InstanceNorm2d(8, eps=0.001, momentum=None, affine=True, bias=False, track_running_stats=True)
    (4): LayerNorm((4, 8), eps=0.001, elementwise_affine=True, bias=False)
    (5): RMSNorm((8,), eps=0.001, elementwise_affine=False)
    (6): LocalResponseNorm(5, alpha=0.0002, beta=0.5, k=2.0)
    (7): Dropout(p=0.25)
    (8): Dropout2d(p=0.25)
    (9): StochasticDepth(p=0.25, mode=batch)
  )
  (recurrent): Sequential(
    (0): RNN(3, 4, num_layers=2, nonlinearity=relu, bias=False, batch_first=True, dropout=0.5, bidirectional=True)
    (1): GRU(8, 4, bias=False, batch_first=True)
    (2): LSTM(4, 4, batch_first=True, bidirectional=True)
  )
  (sequences): Sequential(
    (0): MultiheadAttention(8, 2, dropout=0.25, bias=False, kdim=6, vdim=4, causal=True, rotary_head_dim=4, rotary_pairing=Halves, rotary_base=100.0)
    (1): TransformerEncoderLayer(8, 2, dim_feedforward=16, dropout=0.5, activation=gelu, layer_norm_eps=0.001, norm_first=True, bias=False, causal=True)
    (2): TransformerEncoder(
      recompute=True
      (norm): LayerNorm((8,), eps=1e-5, elementwise_affine=True, bias=True)
      (layers.0): TransformerEncoderLayer(8, 2, dim_feedforward=2048, dropout=0.1, activation=relu)
      (layers.1): TransformerEncoderLayer(8, 2, dim_feedforward=2048, dropout=0.1, activation=relu)
    )
    (3): SinusoidalPositions()
    (4): RotaryPositions(4, pairing=Halves, base=100.0)
    (5): LearnedPositions(16, 8)
  )
  (activations): Sequential(
    (0): CELU(alpha=0.5)
    (1): ELU(alpha=2.0)
    (2): GELU(approximate='tanh')
    (3): GLU(dim=-1)
    (4): Hardsigmoid()
    (5): Hardswish()
    (6): Hardtanh(min_val=-2.0, max_val=1.5)
    (7): Identity()
    (8): LeakyReLU(negative_slope=0.2)
    (9): LogSigmoid()
    (10): LogSoftmax(dim=-1)
    (11): Mish()
    (12): PReLU(num_parameters=4, init=0.5)
    (13): ReLU()
    (14): ReLU6()
    (15): SELU()
    (16): SiLU()
    (17): Sigmoid()
    (18): Softmax(dim=-1)
    (19): Softplus(beta=2.0, threshold=10.0)
    (20): Tanh()
  )
  (branches): Parallel(
    concat_axis=1
    (0): Linear(in_features=4, out_features=2, bias=True)
    (side): Linear(in_features=4, out_features=3, bias=True)
  )
)";

/// A layer over tokens, as another crate would have one: its tokens as one number each.
#[derive(Clone)]
struct Numbers {
    n_tokens: usize,
}

impl Layer<Indices> for Numbers {
    fn forward(&self, g: &Graph<'_>, tokens: Indices) -> Var {
        let numbers: Vec<f32> =
            g.integers(tokens).iter().map(|&token| token as f32 / self.n_tokens as f32).collect();
        g.input(tokens.shape(), &numbers)
    }
}

impl Describe for Numbers {
    const NAME: &str = "Numbers";

    fn blank() -> Self {
        Self { n_tokens: 1 }
    }

    fn describe(&mut self, args: &mut Args<'_>) {
        args.positional("n_tokens", &mut self.n_tokens);
    }
}

described!(Numbers);

#[test]
fn a_network_over_tokens_is_read_as_it_is_written() {
    let net =
        Sequential::over(Numbers { n_tokens: 10 }).add(Linear::new(3, 2)).add_named("act", ReLU).fuse(false);
    let text = "Sequential(
  fuse=False
  (0): Numbers(10)
  (1): Linear(in_features=3, out_features=2, bias=True)
  (act): ReLU()
)";
    assert_eq!(net.config(), text);
    let registry = Registry::new().with_over::<Indices, Numbers>();
    for text in [text, "fuse=False\nNumbers(10)\nLinear(3, 2)\n(act): ReLU"] {
        let again = registry.read_over::<Indices>(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(again.config(), net.config());
    }
    let error = registry.read_over::<Indices>("Linear(3, 2)").expect_err("no tokens");
    assert_eq!(
        error.to_string(),
        "line 1: Linear does not take this input; the layers that do are Embedding, Numbers"
    );
    let error = registry.read_over::<Indices>("(1): Numbers(10)\nLinear(3, 2)").expect_err("one name");
    assert_eq!(error.to_string(), "line 2: two layers are named `1`");
    assert_eq!(
        registry.read_over::<Indices>("").expect_err("nothing").to_string(),
        "line 1: Sequential needs a first layer; the layers that take its input are Embedding, Numbers"
    );
    let (net, mut params) = nn::build(net, 0);
    let mut tape = Tape::new();
    let g = tape.begin(&mut params, Mode::eval());
    let y = net.forward(&g, g.tokens([2, 3], &[1, 2, 3, 4, 5, 6]));
    assert_eq!(g.shape(y).dims(), [2, 2]);
}

/// The same of layers over tokens.
const EVERY_LAYER_OVER_TOKENS: &str = "\
Sequential(
  (0): Embedding(10, 3, padding_idx=1)
  (1): Linear(in_features=3, out_features=2, bias=True)
)";

/// The same of layers over two tensors.
const EVERY_LAYER_OVER_TWO_TENSORS: [&str; 3] = [
    "\
Sequential(
  (0): Recompute(TransformerDecoderLayer(8, 2, dim_feedforward=2048, dropout=0.1, activation=relu))
)",
    "\
Sequential(
  (0): TransformerDecoderLayer(8, 2, dim_feedforward=16, dropout=0.5, activation=gelu, layer_norm_eps=0.001, norm_first=True, bias=False, causal=True)
)",
    "\
Sequential(
  (decoder): TransformerDecoder(
    (norm): LayerNorm((8,), eps=1e-5, elementwise_affine=True, bias=True)
    (layers.0): TransformerDecoderLayer(8, 2, dim_feedforward=2048, dropout=0.1, activation=relu, causal=True)
    (layers.1): TransformerDecoderLayer(8, 2, dim_feedforward=2048, dropout=0.1, activation=relu, causal=True)
  )
  (head): Linear(in_features=8, out_features=3, bias=True)
)",
];

fn read(text: &str) -> Sequential {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn error(text: &str) -> String {
    text.parse::<Sequential>().expect_err(text).to_string()
}

#[test]
fn every_layer_is_read_as_it_is_written() {
    assert_eq!(read(EVERY_LAYER).config(), EVERY_LAYER);
    let over_tokens: SequentialOver<Indices> =
        EVERY_LAYER_OVER_TOKENS.parse().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(over_tokens.config(), EVERY_LAYER_OVER_TOKENS);
    for text in EVERY_LAYER_OVER_TWO_TENSORS {
        let net: SequentialOver<(Var, Var)> = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(net.config(), text);
    }
    let layer = TransformerDecoderLayer::new(8, 2).causal(true);
    let decoder = TransformerDecoder::new(layer, 2).norm(LayerNorm::new([8]));
    let net = Sequential::over(decoder).add(Linear::new(8, 3));
    let text = EVERY_LAYER_OVER_TWO_TENSORS[2].replace("decoder", "0").replace("head", "1");
    assert_eq!(net.config(), text);
    let all = [&[EVERY_LAYER, EVERY_LAYER_OVER_TOKENS], &EVERY_LAYER_OVER_TWO_TENSORS[..]].concat().concat();
    for name in Registry::new().names() {
        assert!(all.contains(&format!("{name}(")), "EVERY_LAYER has no {name}: give it one, with options");
    }
}

#[test]
fn a_network_that_was_read_has_the_same_weights_and_the_same_outputs() {
    let logits = |net: Sequential| {
        let (net, mut params) = nn::build(net, 7);
        let mut tape = Tape::new();
        let g = tape.begin(&mut params, Mode::train(1, 2));
        let y = net.forward(&g, g.input([2, 32, 32, 3], &[0.5; 2 * 32 * 32 * 3]));
        (g.value(y).to_vec(), g.params().values().to_vec())
    };
    for net in [
        models::lecture_cnn(0.5),
        models::dropout_mlp(),
        models::resnet20([32, 32, 3], 10),
        models::airbench94([32, 32, 3], 10),
        models::vit([32, 32, 3], 10),
    ] {
        assert_eq!(logits(read(&net.config())), logits(net));
    }
    // Built or not, a network is written alike.
    let net = models::lecture_cnn(0.5);
    assert_eq!(nn::build(net.clone(), 0).0.config(), net.config());
}

/// What PyTorch 2.15 prints for nn.Sequential(nn.Conv2d(…), …).
#[test]
fn what_pytorch_prints_is_read() {
    let printed = "\
Sequential(
  (0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
  (1): BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  (2): ReLU()
  (3): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
  (4): Flatten(start_dim=1, end_dim=-1)
  (5): Dropout(p=0.5, inplace=False)
  (6): Linear(in_features=128, out_features=10, bias=True)
)";
    let written = "Conv2d(3, 8, 3, padding=1, bias=False) | BatchNorm2d(8) | ReLU | MaxPool2d(2) | Flatten \
                   | Dropout(0.5) | nn.Linear(128, 10)";
    assert_eq!(read(printed).config(), read(written).config());
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
    let branches = Parallel::sum().add(ReLU).add(Tanh);
    assert_eq!(read("Parallel(ReLU, Tanh)").config(), Sequential::new().add(branches).config());
}

#[test]
fn a_layer_may_have_any_name() {
    let mut names = vec!["fuse", "concat_axis", "block 1", "it's", "#", "a: b", "α", "1e-5", "(0)"];
    names.extend(["two\nlines", "\r\n", "'\"", "\\", "\\n", "\\'", "'\"\\\n\"", "a\\b", "\t\u{2028}"]);
    let net = names.iter().fold(Sequential::new(), |net, name| net.add_named(*name, ReLU));
    assert!(net.config().contains("  ('block 1'): ReLU()\n  (\"it's\"): ReLU()\n"), "{}", net.config());
    assert!(format!("{net:?}").contains("  (block 1): ReLU()\n"), "as PyTorch prints it");
    assert_eq!(read(&net.config()).config(), net.config());
    assert!(format!("{:?}", read(&net.config())) == format!("{net:?}"), "the names are read as they were");
    let branches = names.iter().fold(Parallel::sum(), |net, name| net.add_named(*name, ReLU));
    let net = Sequential::new().add(branches);
    assert_eq!(read(&net.config()).config(), net.config());
    // A backslash before any other letter is one.
    assert!(format!("{:?}", read(r"('C:\data'): ReLU()")).contains(r"(C:\data): "));
}

#[test]
fn an_error_names_the_line_and_what_could_stand_there() {
    let deep = "Residual(".repeat(1000);
    for (text, expected) in [
        ("Linear(4, 2)\nLinaer(2, 2)", "line 2: unknown layer `Linaer`; the layers are AdaptiveAvgPool1d, "),
        ("Linear(4, 2)\n\nDropout(p=1.5)", "line 3: Dropout: the probability p is 1.5, expected 0 ≤ p ≤ 1"),
        (
            "GroupNorm(3, 8)",
            "line 1: GroupNorm: num_channels = 8 is not divisible by num_groups = 3; change one of them",
        ),
        ("GELU('sigmoid')", "line 1: GELU: `approximate` is `sigmoid`, expected 'none' or 'tanh'"),
        ("Softmax(dim=1)", "line 1: Softmax supports only dim='-1'"),
        (
            "MultiheadAttention(8, 3)",
            "line 1: MultiheadAttention: embed_dim = 8 is not divisible by num_heads = 3; change one of them",
        ),
        (
            "TransformerEncoderLayer(8, 3)",
            "line 1: TransformerEncoderLayer: d_model = 8 is not divisible by nhead = 3; change one of them",
        ),
        (
            "TransformerDecoderLayer(8, 2)",
            "line 1: TransformerDecoderLayer does not take this input; the layers that do are AdaptiveAvgPool1d, ",
        ),
        (
            "TransformerEncoder(Linear(1, 1))",
            "line 1: expected TransformerEncoderLayer, found Linear(in_features=1, ",
        ),
        (
            "Conv2d(4, 6, 3, groups=4)",
            "line 1: Conv2d: out_channels = 6 is not divisible by groups = 4; change one of them",
        ),
        (
            "Conv1d(4, 6, 3, stride=2, padding=same)",
            "line 1: Conv1d: padding=same needs a stride of 1, the stride is [2]; give the padding as a number",
        ),
        (
            "Conv1d(4, 6, 3, padding_mode=mirror)",
            "line 1: Conv1d: `padding_mode` is `mirror`, expected zeros, reflect, replicate or circular",
        ),
        (
            "Conv2d(4, 6, (1, 2, 3))",
            "line 1: Conv2d: `kernel_size` is `(1, 2, 3)`, expected a number, or one for ",
        ),
        ("Upsample(mode='nearest')", "line 1: Upsample: give either a size or a scale_factor"),
        (
            "Upsample(scale_factor=2.0, mode='nearest', align_corners=True)",
            "line 1: Upsample: align_corners=True needs the mode 'bilinear'",
        ),
        (
            "LayerNorm((4294967296, 4294967296))",
            "line 1: LayerNorm: `normalized_shape` is `(4294967296, 4294967296)`, expected sizes in ",
        ),
        (
            "TransformerEncoderLayer(4611686018427387904, 1)",
            "line 1: TransformerEncoderLayer: d_model is 4611686018427387904, more than memory can address",
        ),
        (
            "MultiheadAttention(8, 2, rotary_head_dim=2)",
            "line 1: MultiheadAttention: the rotary positions are for heads of 2 features, but the heads ",
        ),
        ("Linear(4, 2\n  (bias): ReLU()\n)", "line 2: Linear has no layer `bias`"),
        (
            "BasicBlock(\n  (downsample): ReLU()\n  (downsample): ReLU()\n)",
            "line 3: two layers are named `downsample`",
        ),
        ("Linear(4)", "line 1: Linear needs `out_features`"),
        (
            "LSTM(3, 4)",
            "line 1: LSTM needs batch_first=True: its sequences are [n, t, d], while without this ",
        ),
        ("ReLU()\nGRU(3, 4, batch_first=False)", "line 2: GRU needs batch_first=True: its sequences are "),
        // PyTorch takes the sixth as output_padding, and prints it as the seventh.
        ("ConvTranspose2d(4, 8, 3, 2, 1, 1)", "line 1: ConvTranspose2d supports only padding_mode='zeros'"),
        ("ConvTranspose1d(4, 8, 3, 2, 1, 1)", "line 1: ConvTranspose1d supports only padding_mode='zeros'"),
        ("Linear(4, 2, bias=maybe)", "line 1: Linear: `bias` is `maybe`, expected True or False"),
        ("Linear(4, -2)", "line 1: Linear: `out_features` is `-2`, expected a whole number"),
        (
            "Linear(4, 2, True, 3)",
            "line 1: Linear has no argument for `3`; it has in_features, out_features, bias, ",
        ),
        ("Linear(4, 2, Linear(1, 1))", "line 1: Linear does not accept a layer here, found Linear"),
        ("Sequential(\n  (a): Linear(1, 1)\n  (a): Linear(1, 1)\n)", "line 3: two layers are named `a`"),
        ("Residual(\n)", "line 1: Residual needs the layer `(body): …`"),
        ("Recompute()", "line 1: Recompute needs a layer"),
        (
            "Sequential(\n  Linear(4, 2)\n",
            "line 2: expected `)` to close `Sequential` of line 1, found the end of the text",
        ),
        ("Linear(4, 2))", "line 1: unmatched `)`"),
        ("Linear(4, 2)\n@", "line 2: unexpected character '@'"),
        ("Linear(weight_init='Default)", "line 1: unterminated text: ' is not closed"),
        ("Linear(bias=)", "line 1: expected a layer or a value, found `)`"),
        ("Linear(bias=", "line 1: expected a layer or a value, found the end of the text"),
        (&deep, "line 1: layers are nested more than 64 levels deep"),
    ] {
        let error = error(text);
        assert!(error.starts_with(expected), "{text}\n gives: {error}\n expected: {expected}");
    }
}
