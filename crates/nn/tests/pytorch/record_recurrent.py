"""Records what PyTorch's recurrent layers compute, for tests/suite/pytorch_recurrent.rs.

    venv/bin/python crates/nn/tests/pytorch/record_recurrent.py

(the environment of record.py) writes `recurrent.json` and `recurrent.safetensors` beside this file. The loss is a weighted
sum of the output and of the last state. States are recorded as we have them, sequences first.
"""

import json

import torch
from record import HERE, save_file, tensor
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

N, T, D, H = 3, 4, 3, 2
LENGTHS = [3, 4, 1]

# The layer, whether it begins from a state, and whether sequences have lengths.
CASES = {
    "rnn": (nn.RNN(D, H, batch_first=True), False, False),
    "rnn_relu": (nn.RNN(D, H, num_layers=2, nonlinearity="relu", bias=False, batch_first=True), True, False),
    "rnn_both_ways": (nn.RNN(D, H, num_layers=2, bidirectional=True, batch_first=True), True, False),
    "rnn_packed": (nn.RNN(D, H, num_layers=2, bidirectional=True, batch_first=True), True, True),
    "gru": (nn.GRU(D, H, batch_first=True), False, False),
    "gru_both_ways": (nn.GRU(D, H, num_layers=2, bidirectional=True, batch_first=True), True, False),
    "gru_packed": (nn.GRU(D, H, bidirectional=True, batch_first=True), False, True),
    "gru_dropout": (nn.GRU(D, H, num_layers=2, dropout=1.0, batch_first=True), False, False),
    "lstm": (nn.LSTM(D, H, batch_first=True), False, False),
    "lstm_both_ways": (nn.LSTM(D, H, num_layers=2, bidirectional=True, batch_first=True), True, False),
    "lstm_packed": (nn.LSTM(D, H, num_layers=2, bidirectional=True, bias=False, batch_first=True), True, True),
}


def fill(layer):
    with torch.no_grad():
        for position, p in enumerate(layer.parameters()):
            p.copy_(tensor(100 + position, *p.shape))


def states(layer, stream):
    """States with the sequences first, as variables, and as PyTorch takes them."""
    n_layers = layer.num_layers * (2 if layer.bidirectional else 1)
    ours = [tensor(stream + i, N, n_layers, H).requires_grad_() for i in range(2 if layer.mode == "LSTM" else 1)]
    theirs = [state.transpose(0, 1).contiguous() for state in ours]
    return ours, tuple(theirs) if layer.mode == "LSTM" else theirs[0]


def weighted(values, stream):
    return (values * tensor(stream, *values.shape)).sum()


def after(layer, state):
    return [part.transpose(0, 1) for part in (state if layer.mode == "LSTM" else [state])]


def digits(values):
    """Nine digits tell every f32 apart."""
    return [float(f"{value:.9g}") for value in values.flatten().tolist()]


def run(layer, has_state, has_lengths):
    fill(layer)
    x = tensor(1, N, T, D).requires_grad_()
    initial, theirs = states(layer, 20)
    given = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False) if has_lengths else x
    y, last = layer(given, theirs) if has_state else layer(given)
    if has_lengths:
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=T)
    last = after(layer, last)
    loss = weighted(y, 50) + sum(weighted(part, 51 + i) for i, part in enumerate(last))
    loss.backward()
    recorded = {"y": y, "dx": x.grad} | {f"state {i}": part for i, part in enumerate(last)}
    recorded |= {f"grad of state {i}": part.grad for i, part in enumerate(initial) if has_state}
    recorded |= {f"grad of {name}": p.grad for name, p in layer.named_parameters()}
    return {name: digits(values) for name, values in recorded.items()}


def truncated():
    """Two stretches of the same sequences: the state goes on, the gradient does not."""
    layer = nn.LSTM(D, H, batch_first=True)
    fill(layer)
    _, state = layer(tensor(1, N, T, D))
    y, _ = layer(tensor(2, N, T, D), tuple(part.detach() for part in state))
    weighted(y, 50).backward()
    return {"y": digits(y)} | {f"grad of {name}": digits(p.grad) for name, p in layer.named_parameters()}


def file():
    """The weights of a whole network; its linear projection runs over all steps."""
    net = nn.ModuleDict(
        {
            "lstm": nn.LSTM(D, H, num_layers=2, bidirectional=True, batch_first=True),
            "gru": nn.GRU(2 * H, H, bidirectional=True, batch_first=True),
            "rnn": nn.RNN(2 * H, H, num_layers=2, bias=False, batch_first=True),
            "out": nn.Linear(H, 2),
        }
    )
    fill(net)
    save_file(net.state_dict(), HERE / "recurrent.safetensors")
    y = tensor(1, N, T, D)
    for name in ["lstm", "gru", "rnn"]:
        y = net[name](y)[0]
    return digits(net["out"](y))


if __name__ == "__main__":
    torch.set_num_threads(2)
    recorded = {"torch": torch.__version__.split("+")[0], "truncated": truncated(), "file": file()}
    recorded["cases"] = {name: run(*case) for name, case in CASES.items()}
    (HERE / "recurrent.json").write_text(json.dumps(recorded) + "\n")
