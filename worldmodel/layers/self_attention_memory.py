"""Self-attention memory: what SA-ConvLSTM adds to a ConvLSTM."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from worldmodel.layers.attention import attention


@final
class SelfAttentionMemory(nn.Module):
    """The self-attention memory, SAM (SA-ConvLSTM, figure 1).

    Every position of the hidden state H asks all positions of H and of the memory M. The two
    answers become one feature Z; gates of Z and H write M and read it:
    M' = (1 - i) . M + i . g and H' = o . M'.

    The scores are not scaled. The figure leaves open the width of Z, here H's, and the kernels of
    the gates, here 1x1 like all others. Only the gates have a bias; one in the keys would cancel in
    the softmax.

    Args:
        hidden: Channels of hidden state and memory.
        key: Channels of a query and a key.
    """

    def __init__(self, hidden: int, key: int) -> None:
        super().__init__()
        self.of_hidden, self.of_memory = (key, key, hidden), (key, hidden)
        self.project_hidden = nn.Conv2d(hidden, sum(self.of_hidden), 1, bias=False)
        self.project_memory = nn.Conv2d(hidden, sum(self.of_memory), 1, bias=False)
        self.aggregate = nn.Conv2d(2 * hidden, hidden, 1, bias=False)
        self.gates = nn.Conv2d(2 * hidden, 3 * hidden, 1)

    def forward(self, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden state and memory after H and M; all of shape (B, hidden, h, w)."""
        feature = self.attend(hidden, memory)
        i, g, o = self.gates(torch.cat((feature, hidden), dim=1)).chunk(3, dim=1)
        write = torch.sigmoid(i)
        memory = (1 - write) * memory + write * torch.tanh(g)
        return torch.sigmoid(o) * memory, memory

    def attend(self, hidden: Tensor, memory: Tensor) -> Tensor:
        """The aggregated feature Z of H and M; all of shape (B, hidden, h, w)."""
        query, *of_hidden = _tokens(self.project_hidden(hidden)).split(self.of_hidden, dim=2)
        of_memory = _tokens(self.project_memory(memory)).split(self.of_memory, dim=2)
        key, value = (torch.stack(pair, dim=1) for pair in zip(of_hidden, of_memory, strict=True))
        answers = attention(query.unsqueeze(1).expand_as(key), key, value, scale=1.0)
        both = answers.transpose(2, 3).reshape(hidden.shape[0], -1, *hidden.shape[2:])
        return self.aggregate(both)


def _tokens(maps: Tensor) -> Tensor:
    """Maps (B, C, h, w) as the tokens (B, h w, C)."""
    return maps.flatten(2).transpose(1, 2)
