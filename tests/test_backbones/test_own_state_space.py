"""A backbone of one's own whose blocks are no attention blocks: a small state-space network."""

from __future__ import annotations

import pytest
import torch
from small_models import clouds, logits, train
from torch import Tensor, nn

from point_peft.backbones import check_backbone
from point_peft.backbones.layers import BlockStack
from point_peft.backbones.plain_transformer import PlainTransformer
from point_peft.models import PointClassifier
from point_peft.registry import MODELS


class StateSpaceBlock(nn.Module):
    """h_t = a_t h_{t-1} + (1 - a_t) u_t along the sequence, as a product with a lower triangular matrix."""

    def __init__(self, dim: int, **_: object) -> None:
        super().__init__()
        self.norm, self.in_proj, self.out_proj = (
            nn.LayerNorm(dim),
            nn.Linear(dim, 2 * dim),
            nn.Linear(dim, dim),
        )

    def forward(self, x: Tensor, _: None = None) -> Tensor:
        """(B, L, C) -> (B, L, C)."""
        u, gate = self.in_proj(self.norm(x)).chunk(2, dim=-1)
        log_a = nn.functional.logsigmoid(gate.mean(dim=-1))  # (B, L), one decay per token
        total = log_a.cumsum(dim=1)
        decay = (total.unsqueeze(2) - total.unsqueeze(1)).tril().exp().tril()  # (B, L, L)
        return x + self.out_proj(decay @ (u * (1 - log_a.exp()).unsqueeze(-1)))


class PointStateSpace(PlainTransformer):
    """Groups in the order of farthest point sampling, through state-space blocks."""

    block_sites = {'block': '', 'norm': 'norm', 'in_proj': 'in_proj', 'out_proj': 'out_proj'}  # noqa: RUF012

    def build_blocks(self, depth: int, num_heads: int, drop_path_rate: float) -> BlockStack:
        """A stack of them."""
        return BlockStack(self.embed_dim, depth=depth, num_heads=1, block=StateSpaceBlock)


SMALL = dict(type='PointStateSpace', embed_dim=48, depth=4, num_groups=16, group_size=8)


def build(name: str, **arguments: object) -> PointClassifier:
    """A tuned classifier."""
    peft = dict(type='PEFTBackbone', methods=[dict(type=name, **arguments)])
    return PointClassifier(SMALL, dict(type='PointClsHead', num_classes=8, dropout=0.0), peft=peft)


def test_contract_and_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """It honours the contract, every method works on it, and what it lacks is said."""
    monkeypatch.setitem(MODELS.module_dict, 'PointStateSpace', PointStateSpace)
    check_backbone(MODELS.build(SMALL), clouds(3))
    methods = {'LoRA': {'targets': ['in_proj', 'out_proj']}, 'BottleneckAdapter': {'at': 'block'}}
    for name in (*methods, 'VPTDeep', 'PointPriorPrompt', 'GeometryAwareAdapter', 'SelectiveTuning'):
        losses = train(model := build(name, **methods.get(name, {})), steps=8, lr=0.003)
        alone = torch.cat([logits(model, cloud[None]) for cloud in clouds()])
        assert losses[-1] < losses[0] and (alone - logits(model, clouds())).abs().max() < 1e-4, name
    with pytest.raises(
        ValueError, match=r"on 'mlp', .* PointStateSpace .* have block, norm, in_proj, out_proj"
    ):
        build('BottleneckAdapter')
