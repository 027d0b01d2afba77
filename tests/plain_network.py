"""A small transformer that knows nothing of this project."""

from __future__ import annotations

import torch
from small_models import scramble
from torch import Tensor, nn

from point_peft.adapters import NamedSites


class Block(nn.Module):
    """A residual block of two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.mlp(self.norm(x)) + x.mean(dim=1, keepdim=True)


class Network(nn.Module):
    """Blocks, a norm with batch statistics and a classifier, on sequences (B, L, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.ModuleList(Block() for _ in range(3))
        self.norm = nn.LayerNorm(8)
        self.batch_norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.body:
            x = block(x)
        return self.head(self.batch_norm(self.norm(x).mean(dim=1)))


SITES = NamedSites(
    blocks='body', names={'mlp.fc1': 'mlp.0', 'mlp.fc2': 'mlp.2', 'norm1': 'norm'}, final_norm='norm'
)


def network(seed: int = 1) -> Network:
    """Always with the same weights, in eval mode."""
    torch.manual_seed(0)
    model = Network()
    scramble(model, seed=seed)
    return model.eval()
