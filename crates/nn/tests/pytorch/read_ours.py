"""PyTorch reads a file of ours: every kind of layer with weights, for tests/suite/pytorch_networks.rs.

    venv/bin/python crates/nn/tests/pytorch/read_ours.py

(the environment of record.py) loads `ours.safetensors`, which is what the test writes, and writes the network's output to
`ours.json` beside this file.
"""

import json

import torch
from record import HERE
from safetensors.torch import load_file
from torch import nn

OPTIONS = {"dim_feedforward": 12, "batch_first": True}


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = nn.Embedding(7, 8, padding_idx=0)
        encoder = nn.TransformerEncoderLayer(8, 2, **OPTIONS)
        self.encoder = nn.TransformerEncoder(encoder, 2, norm=nn.LayerNorm(8), enable_nested_tensor=False)
        self.lstm = nn.LSTM(8, 4, num_layers=2, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(8, 4, bidirectional=True, batch_first=True)
        self.rnn = nn.RNN(8, 8, bias=False, batch_first=True)
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, **OPTIONS), 1)
        self.attention = nn.MultiheadAttention(8, 2, kdim=8, vdim=8, bias=False, batch_first=True)
        self.conv1d = nn.Conv1d(8, 6, 3, padding=1)
        self.batch_norm = nn.BatchNorm1d(6)
        self.prelu = nn.PReLU(6)
        self.conv2d = nn.Conv2d(6, 6, (3, 1), padding=(1, 0), groups=2)
        self.group_norm = nn.GroupNorm(2, 6)
        self.conv_transpose1d = nn.ConvTranspose1d(6, 4, 3, stride=2, groups=2)
        self.rms_norm = nn.RMSNorm(4)
        self.head = nn.Linear(4, 3)

    def forward(self, tokens):
        memory = self.encoder(self.tokens(tokens))
        x = self.rnn(self.gru(self.lstm(memory)[0])[0])[0]
        x = self.decoder(x, memory)
        x = self.attention(x, memory, memory, need_weights=False)[0]
        x = self.prelu(self.batch_norm(self.conv1d(x.transpose(1, 2))))
        x = self.group_norm(self.conv2d(x.unsqueeze(-1)))
        x = self.conv_transpose1d(x.squeeze(-1)).transpose(1, 2)
        return self.head(self.rms_norm(x))


if __name__ == "__main__":
    torch.set_num_threads(2)
    net = Network().eval()
    # Strict: no name is missing and none is left over.
    net.load_state_dict(load_file(HERE / "ours.safetensors"), strict=True)
    y = net(torch.tensor([[1, 2, 6, 0, 3], [5, 5, 4, 1, 0]]))
    recorded = {"torch": torch.__version__.split("+")[0], "y": y.flatten().tolist()}
    (HERE / "ours.json").write_text(json.dumps(recorded) + "\n")
