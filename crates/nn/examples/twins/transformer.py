"""A transformer that learns which character comes next in a text, and then writes some itself.

    python transformer.py --quick
"""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

CONTEXT = 64


class LearnedPositions(nn.Module):
    def __init__(self, n_tokens, features):
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(n_tokens, features))

    def forward(self, x):
        return x + self.weight


class CharacterModel(nn.Module):
    """Tokens, [n, t], to the logits of what follows each, [n, t, n_tokens]."""

    def __init__(self, n_tokens, d_model, n_layers):
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, d_model)
        self.positions = LearnedPositions(CONTEXT, d_model)
        layer = nn.TransformerEncoderLayer(
            d_model, 4, 4 * d_model, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, n_layers, nn.LayerNorm(d_model), enable_nested_tensor=False)
        self.head = nn.Linear(d_model, n_tokens)

    def forward(self, tokens):
        x = self.positions(self.embedding(tokens))
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1])
        return self.head(self.encoder(x, mask=mask, is_causal=True))


def train(model, batches):
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses = []
    for step, windows in enumerate(batches):
        logits = model(windows[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        if step % 50 == 0:
            print(f"step {step:4}: loss {losses[step]:.3f}")
    return losses


@torch.no_grad()
def write(model, text, n):
    """Continues a text of CONTEXT tokens or more, each drawn as likely as the model has it."""
    model.eval()
    for _ in range(n):
        logits = model(text[None, -CONTEXT:])[0, -1]
        text = torch.cat([text, torch.multinomial(logits.softmax(0), 1)])
    return text


def main(quick):
    torch.manual_seed(0)
    text = (Path(__file__).parents[2] / "README.md").read_text()
    alphabet = sorted(set(text))
    tokens = torch.tensor([alphabet.index(c) for c in text])
    d_model, n_layers, n_steps = (32, 2, 200) if quick else (128, 4, 2000)
    model = CharacterModel(len(alphabet), d_model, n_layers)

    def batches():
        for _ in range(n_steps):
            starts = torch.randint(len(tokens) - CONTEXT, (16, 1))
            yield tokens[starts + torch.arange(CONTEXT + 1)]

    losses = train(model, batches())
    print("".join(alphabet[token] for token in write(model, tokens[:CONTEXT], 200)))
    print("loss", losses[-1])


if __name__ == "__main__":
    main("--quick" in sys.argv)
