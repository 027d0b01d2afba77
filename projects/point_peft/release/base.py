"""What the released Point-PEFT does alike on every backbone: prior, memory bank, and what is trained."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones import PointBackbone
from ..ops import farthest_point_sample, gather

SUMMARY_ROWS = 2
"""Rows of the cache prompt that are not retrieved: the query and the attention's result."""

TRAINED_PARTS = frozenset(
    (
        'ad_gate',
        'adapter',
        'adapter1',
        'attn1',
        'cls_pos',
        'cls_token',
        'cp_adapter',
        'norm3',
        'out_transform',
        'prompt_cor',
        'prompt_embeddings',
    )
)
TRAINED_BIASES = ('norm1.bias', 'norm2.bias', 'attn.proj.bias', 'mlp.fc1.bias', 'mlp.fc2.bias')


class ReleaseModel(BaseModule):
    """A released network with its frozen prior under ``prior.`` and its bank (C, N) in ``memory_bank``."""

    num_prefix_tokens: int
    num_kept_tokens = 0
    num_tokens: int
    """Prompts per prompted block."""

    unfitted_note = 'the memory bank is empty, so prompts are not enhanced'
    """Said of models that are built without a checkpoint."""

    prompt_cor: nn.Parameter
    """(T, 3) learnable points."""

    def add_prior(self, prior: PointBackbone) -> None:
        """Add the prior and an empty bank, then freeze what the release does not train; the last step of building."""
        self.prior = prior
        self.embed_dim = prior.embed_dim
        self.memory_bank: Tensor
        self.register_buffer('memory_bank', torch.empty(self.embed_dim, 0))
        self.warned_empty = False
        trained = self.trained_names()
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name in trained)

    def trained_names(self) -> set[str]:
        """Parameters that the published rule trains."""
        names = [name for name, _ in self.named_parameters() if not name.startswith('prior.')]
        return {
            name
            for name in names
            if not TRAINED_PARTS.isdisjoint(name.split('.'))
            or name.startswith('norm.')
            or _is_block_bias(name)
        }

    def prompt_centers(self, points: Tensor, count: int) -> Tensor:
        """Centers (B, count, 3) sampled from the learnable points and the clouds (B, N, 3) together."""
        points = torch.cat([self.prompt_cor.expand(len(points), -1, -1), points], dim=1)
        return gather(points, farthest_point_sample(points, count))

    @torch.no_grad()
    def query_bank(self, points: Tensor) -> Tensor | None:
        """The rows (B, T, C) that the release adds to its prompts; None with an empty bank.

        They are found in full precision whatever autocast says.
        """
        if not self.memory_bank.shape[1]:
            if not self.warned_empty:
                print_log('the memory bank is empty: prompts are not enhanced.', logger='current', level=30)
                self.warned_empty = True
            return None
        with torch.autocast(points.device.type, enabled=False):
            feature = self.prior.summarize(self.prior.embed(points)).to(self.memory_bank)  # (B, C)
            similarity = F.normalize(feature, dim=1) @ self.memory_bank
            top, index = similarity.topk(self.num_tokens - SUMMARY_ROWS, dim=1)
            values = self.memory_bank.T[index]  # (B, T - 2, C)
            attended = top.softmax(dim=1).unsqueeze(1) @ values
        return torch.cat([feature.unsqueeze(1), attended, values], dim=1)

    def train(self, mode: bool = True) -> ReleaseModel:
        """Switch everything but the prior, batch norms of the frozen patch embedding included, as released."""
        super().train(mode)
        self.prior.eval()
        return self

    def base_state(self) -> dict[str, Tensor]:
        """Nothing: release checkpoints are whole."""
        return {}

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Take a bank of any number of columns."""
        bank = state_dict.get(f'{prefix}memory_bank')
        if bank is not None and bank.dim() == 2 and len(bank) == self.embed_dim:
            self.memory_bank = self.memory_bank.new_empty(bank.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _is_block_bias(name: str) -> bool:
    return name.startswith('blocks.') and name.endswith(TRAINED_BIASES)
