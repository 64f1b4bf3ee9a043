"""Records what PyTorch computes for layers over tokens, for tests/suite/pytorch_sequences.rs.

    venv/bin/python crates/nn/tests/pytorch/record_sequences.py

writes `recorded_sequences.json` and `sequences.safetensors`, the weights of some layers, beside this file. Numbers are
made as in `record.py`.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F

from record import fill, tensor

HERE = Path(__file__).parent
INF = float("inf")


def flat(x):
    return [round(v, 6) for v in x.detach().flatten().tolist()]


def backward(y):
    """From Σ y · c, the c a hash of their place."""
    (y * tensor(9, *y.shape)).sum().backward()


def padding(hidden):
    """[2, s]: nothing hidden from the first image, and the last tokens of the second."""
    s = len(hidden)
    return torch.tensor([[False] * s, hidden])


def attention():
    shapes = {"q": (2, 3, 5, 4), "k": (2, 3, 6, 4), "v": (2, 3, 6, 3)}
    mask = tensor(4, 5, 6)
    shown = tensor(5, 5, 6) > -0.3
    shown[2] = False
    table = {
        "plain": {},
        "scaled": {"scale": 0.3},
        "causal": {"is_causal": True},
        "additive": {"attn_mask": mask},
        "hidden": {"attn_mask": shown},
        "learned": {"attn_mask": tensor(6, 1, 3, 5, 6).requires_grad_()},
    }
    recorded = {}
    for name, options in table.items():
        inputs = [(tensor(i, *shape) * 2).requires_grad_() for i, shape in enumerate(shapes.values())]
        y = F.scaled_dot_product_attention(*inputs, **options)
        backward(y)
        inputs += [x for x in options.values() if isinstance(x, torch.Tensor) and x.requires_grad]
        recorded[name] = {"y": flat(y), "grads": [flat(x.grad) for x in inputs]}
    return recorded


def embedding_layer():
    layer = nn.Embedding(7, 4, padding_idx=2)
    fill(layer)
    return layer


def embedding():
    layer = embedding_layer()
    y = layer(torch.tensor([[1, 2, 6], [1, 1, 0]]))
    backward(y)
    return {"y": flat(y), "dweight": flat(layer.weight.grad)}


def layer(module, *inputs, **options):
    """Names and shapes, the output, and the gradient of each input and each parameter."""
    fill(module)
    module.train()
    inputs = [x.requires_grad_() for x in inputs]
    y = module(*inputs, **options)
    y = y[0] if isinstance(y, tuple) else y
    backward(y)
    return {
        "names": [f"{name} {list(p.shape)}" for name, p in module.named_parameters()],
        "y": flat(y),
        "inputs": [flat(x.grad) for x in inputs],
        "grads": [round(float(v), 6) for p in module.parameters() for v in p.grad.flatten()[:: max(1, p.numel() // 7)]],
    }


def layers():
    x, memory = (lambda: tensor(20, 2, 5, 8)), (lambda: tensor(21, 2, 6, 8))
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    hidden = padding([False, False, False, True, True])
    hidden6 = padding([False, False, True, False, True, True])
    options = {"dim_feedforward": 12, "dropout": 0.0, "batch_first": True}

    class SelfAttention(nn.MultiheadAttention):
        def forward(self, x, **masks):
            return super().forward(x, x, x, need_weights=False, **masks)

    class CrossAttention(nn.MultiheadAttention):
        def forward(self, q, k, v, **masks):
            return super().forward(q, k, v, need_weights=False, **masks)

    class RotaryAttention(nn.MultiheadAttention):
        """Queries and keys are rotated, values are not."""

        def forward(self, q, k, v, interleaved, base=10000, **options):
            parts = zip([q, k, v], self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3))
            q, k, v = [F.linear(*part).unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in parts]
            q, k = [rotate(x, interleaved, base).float() for x in (q, k)]
            return self.out_proj(F.scaled_dot_product_attention(q, k, v, **options).transpose(1, 2).flatten(-2))

    class RotarySelfAttention(RotaryAttention):
        def forward(self, x, **options):
            return super().forward(x, x, x, **options)

    self_attention = SelfAttention(8, 2, batch_first=True)
    shared = CrossAttention(8, 2, batch_first=True, bias=False)
    sizes = CrossAttention(8, 2, batch_first=True, kdim=6, vdim=3)
    encoder = nn.TransformerEncoderLayer(8, 2, **options)
    encoder_first = nn.TransformerEncoderLayer(8, 2, activation="gelu", norm_first=True, **options)
    decoder = nn.TransformerDecoderLayer(8, 2, **options)
    decoder_first = nn.TransformerDecoderLayer(8, 2, activation="gelu", norm_first=True, bias=False, **options)
    encoders = nn.TransformerEncoder(encoder_first, 2, norm=nn.LayerNorm(8), enable_nested_tensor=False)
    decoders = nn.TransformerDecoder(decoder, 2)
    causal = {"mask": mask, "is_causal": True}
    recorded = {
        "attention": layer(self_attention, x(), key_padding_mask=hidden, attn_mask=mask, is_causal=True),
        "cross_attention": layer(shared, x(), memory(), tensor(22, 2, 6, 8)),
        "sizes": layer(sizes, x(), tensor(23, 2, 6, 6), tensor(24, 2, 6, 3), key_padding_mask=hidden6),
        "all_hidden": layer(SelfAttention(8, 2, batch_first=True), x(), key_padding_mask=padding([True] * 5)),
        "rotary_attention": layer(RotarySelfAttention(8, 2), x(), interleaved=True, is_causal=True),
        "rotary_cross_attention": layer(
            RotaryAttention(8, 2), x(), memory(), tensor(22, 2, 6, 8), interleaved=False, base=100
        ),
        "encoder_layer": layer(encoder, x(), src_mask=mask, src_key_padding_mask=hidden),
        "encoder_layer_norm_first": layer(encoder_first, x()),
        "decoder_layer": layer(
            decoder, x(), memory(), tgt_mask=mask, tgt_is_causal=True, memory_key_padding_mask=hidden6
        ),
        "decoder_layer_norm_first": layer(decoder_first, x(), memory()),
        "encoder": layer(encoders, x(), **causal),
        "decoder": layer(decoders, x(), memory(), tgt_mask=mask, tgt_is_causal=True),
    }
    stored = {
        "embedding": embedding_layer(),
        "attention": self_attention,
        "cross_attention": shared,
        "sizes": sizes,
        "encoder_layer": encoder,
        "decoder_layer": decoder,
        "encoder": encoders,
        "decoder": decoders,
    }
    save_file(nn.ModuleDict(stored).state_dict(), HERE / "sequences.safetensors")
    return recorded


def rotate(x, interleaved, base=10000):
    """RoFormer's rotation of [n, heads, t, dim], written with complex numbers."""
    n, h, t, d = x.shape
    angles = torch.outer(torch.arange(t, dtype=torch.float64), base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d))
    turns = torch.polar(torch.ones_like(angles), angles)
    x = x.double()
    pairs = x.unflatten(-1, (d // 2, 2)) if interleaved else x.unflatten(-1, (2, d // 2)).transpose(-1, -2)
    turned = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * turns)
    return (turned if interleaved else turned.transpose(-1, -2)).flatten(-2)


def rotate_first(x, n_rotated, *options):
    """The rotation of the first of three heads side by side, [n, t, 3 · dim]; the others stay."""
    heads = x.unflatten(-1, (3, -1)).transpose(1, 2)
    rotated = rotate(heads[:, :n_rotated], *options)
    return torch.cat([rotated, heads[:, n_rotated:].double()], 1).transpose(1, 2).flatten(-2)


def rotary():
    """The output, and the gradient of the input."""
    table = {
        "interleaved": ((2, 2, 5, 6), lambda x: rotate(x, True)),
        "halves": ((2, 2, 5, 6), lambda x: rotate(x, False)),
        "base": ((1, 2, 7, 6), lambda x: rotate(x, True, 100)),
        "base_halves": ((1, 2, 7, 6), lambda x: rotate(x, False, 500000)),
        "first_heads": ((2, 5, 12), lambda x: rotate_first(x, 2, True)),
        "first_head_base_halves": ((2, 5, 12), lambda x: rotate_first(x, 1, False, 100)),
    }
    recorded = {}
    for name, (shape, op) in table.items():
        x = tensor(30, *shape).requires_grad_()
        y = op(x)
        backward(y)
        recorded[name] = {"y": flat(y), "dx": flat(x.grad)}
    return recorded


def sinusoids(n_tokens, n_features):
    """Of each position: sines at even features, cosines at odd ones."""
    place = torch.arange(n_tokens)[:, None] / 10000 ** (torch.arange(0, n_features, 2) / n_features)
    return torch.stack([place.sin(), place.cos()], dim=-1).flatten(-2)[:, :n_features]


def sinusoidal():
    """Added to tokens of an even and of an odd number of features."""
    return {str(d): flat(tensor(31, 2, 9, d) + sinusoids(9, d)) for d in [6, 7]}


def language_model():
    """Ten steps of SGD on the next token, with a causal encoder."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(11, 8)
            block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, activation="gelu", norm_first=True, batch_first=True)
            self.encoder = nn.TransformerEncoder(block, 2, norm=nn.LayerNorm(8), enable_nested_tensor=False)
            self.head = nn.Linear(8, 11)

        def forward(self, tokens, mask):
            return self.head(self.encoder(self.tokens(tokens) + sinusoids(6, 8), mask=mask, is_causal=True))

    model, mask = Model(), nn.Transformer.generate_square_subsequent_mask(6)
    fill(model)
    sgd, losses = torch.optim.SGD(model.parameters(), lr=0.1), []
    for step in range(10):
        text = torch.tensor([[(i * 5 + j * j + step) % 11 for j in range(7)] for i in range(9)])
        sgd.zero_grad()
        loss = F.cross_entropy(model(text[:, :-1], mask).flatten(0, 1), text[:, 1:].flatten())
        loss.backward()
        sgd.step()
        losses.append(loss.item())
    return {"losses": losses, "names": [f"{name} {list(p.shape)}" for name, p in model.named_parameters()]}


if __name__ == "__main__":
    torch.set_num_threads(2)
    recorded = {
        "torch": torch.__version__.split("+")[0],
        "attention": attention(),
        "embedding": embedding(),
        "layers": layers(),
        "rotary": rotary(),
        "sinusoidal": sinusoidal(),
        "language_model": language_model(),
    }
    (HERE / "recorded_sequences.json").write_text(json.dumps(recorded) + "\n")
