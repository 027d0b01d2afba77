"""DAPT: dynamic adapters and the prompts that they make (Zhou et al., CVPR 2024, arXiv 2403.01439)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones import PointBackbone
from ..registry import MODELS
from ..structures import BackboneFeatures, PointTokens
from .base import TuningMethod
from .context import Inserted, TuningContext


class DynamicAdapter(nn.Module):
    """A bottleneck whose weight is ``ReLU(w . x + b)`` for each token (section 3.3), behind a layer norm.

    Args:
        dim (int): Input and output dimension C.
        hidden_dim (int): Dimension of the bottleneck.
        dropout (float): Dropout before the up-projection.
        start (float): Where b starts.
    """

    def __init__(self, dim: int, *, hidden_dim: int, dropout: float, start: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.scale = nn.Linear(dim, 1)
        self.down = nn.Linear(dim, hidden_dim)
        self.dropout = nn.Dropout(dropout)
        self.up = nn.Linear(hidden_dim, dim)
        nn.init.constant_(self.scale.bias, start)
        for tensor in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(tensor)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., C); zero at first."""
        x = self.norm(x)
        return self.up(self.dropout(F.gelu(self.down(x)))) * F.relu(self.scale(x))


@MODELS.register_module()
class DAPT(TuningMethod):
    """A dynamic adapter beside every feed-forward network, and a prompt of every block that its adapter makes.

    The prompt of a block (internal prompt, section 3.4) is the mean over the tokens of ``GELU(adapter(x))``, scaled and
    shifted per channel. It joins the sequence behind the block and stays. Embedded groups are scaled and shifted, too;
    for layers and norms of the blocks the paper does the same, which is the method :class:`~.ssf.SSF`.

    Args:
        hidden_dim (int): Dimension of the bottlenecks; 64 for ScanObjectNN, 72 for ModelNet in the published configs.
        dropout (float): Dropout in the bottlenecks; 0.2 in the published configs.
        std (float): Standard deviation with which scales start around one and shifts around zero; 0.02 in the published
            code (``init_tfts``).
        start (float): Where the bias b of a token's weight starts. At 0, as in the published code, an adapter whose
            tokens are much alike may have the weight zero for all of them, and then never learns.
        last_prompt (bool): Whether the last block makes a prompt; nothing attends to it, so only a head that reads
            prompts has a use for it.
    """

    needed_sites = ('mlp',)
    unfoldable = 'the weights of its adapters depend on the token, and it adds tokens'

    def __init__(
        self,
        hidden_dim: int = 64,
        *,
        dropout: float = 0.2,
        std: float = 0.02,
        start: float = 1.0,
        last_prompt: bool = True,
    ) -> None:
        super().__init__()
        self.hidden_dim, self.dropout, self.std, self.start = hidden_dim, dropout, std, start
        self.last_prompt = last_prompt

    def setup(self, backbone: PointBackbone) -> None:
        """Create the adapters, and the scales and shifts of prompts and embedded groups."""
        dims = list(backbone.layer_dims)
        self.adapters = nn.ModuleList(
            DynamicAdapter(dim, hidden_dim=self.hidden_dim, dropout=self.dropout, start=self.start)
            for dim in dims
        )
        prompted = dims if self.last_prompt else dims[:-1]
        self.num_kept_tokens = len(prompted)
        self.scales = nn.ParameterList(self._around(1.0, dim) for dim in prompted)
        self.shifts = nn.ParameterList(self._around(0.0, dim) for dim in prompted)
        self.embedding_scale = self._around(1.0, dims[0])
        self.embedding_shift = self._around(0.0, dims[0])

    def attach(self, backbone: PointBackbone) -> None:
        """Act beside every feed-forward network; prompts are brought into the stage of the next block."""
        stages = list(backbone.layer_stages)
        for layer, mlp in enumerate(backbone.sites('mlp')):
            next_stage = stages[layer + 1] if layer + 1 < len(stages) else stages[layer]
            carry = partial(backbone.carry, stage=next_stage) if next_stage != stages[layer] else None
            self.on_output(mlp, self._adapt(layer, carry))

    def transform_tokens(self, tokens: PointTokens) -> PointTokens:
        """Scale and shift the embedded groups."""
        return replace(tokens, features=tokens.features * self.embedding_scale + self.embedding_shift)

    def tokens_before(self, layer: int, x: Tensor) -> Inserted | None:
        """The prompt (B, 1, C) of the block before."""
        prompt = self.handed_to(layer)
        return None if prompt is None else Inserted(prompt, stay=True)

    def finish(self, features: BackboneFeatures, context: TuningContext) -> BackboneFeatures:
        """Features with the prompt of the last block beside the others."""
        prompt = self.handed_to(len(self.adapters))
        if prompt is None:
            return features
        raw = features.raw_prefix
        return replace(
            features,
            prefix=torch.cat([features.prefix, context.final_norm(prompt)], dim=1),
            raw_prefix=None if raw is None else torch.cat([raw, prompt], dim=1),
            num_kept=features.num_kept + 1,
        )

    def _adapt(
        self, layer: int, carry: Callable[[Tensor], Tensor] | None
    ) -> Callable[[Tensor, Tensor], Tensor]:
        adapter = self.adapters[layer]

        def adapt(x: Tensor, output: Tensor) -> Tensor:
            change = adapter(x)  # (B, L, C)
            if layer < len(self.scales):
                prompt = F.gelu(change).mean(dim=1, keepdim=True) * self.scales[layer] + self.shifts[layer]
                self.hand_on(layer + 1, prompt if carry is None else carry(prompt))
            return output + change

        return adapt

    def _around(self, mean: float, dim: int) -> nn.Parameter:
        return nn.Parameter(mean + self.std * torch.randn(dim))
