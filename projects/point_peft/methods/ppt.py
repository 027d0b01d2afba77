"""PPT: coarser patches of the cloud as prompts (Positional Prompt Tuning, Zhang et al., arXiv 2408.11567)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from ..registry import MODELS
from .base import TuningMethod
from .coarser_groups import coarser_tokens
from .context import Inserted, TuningContext
from .small_mlp import small_mlp


@MODELS.register_module()
class PPT(TuningMethod):
    """Prompts that are embedded groups of a coarser scale with their positions, and three MLPs shared by all blocks.

    Before every block, positions added, patch tokens x become ``x + MLP_1(x)`` and prompts p become ``p + MLP_2(p)``;
    inside of it ``MLP_3(x)`` of all tokens behind the attention joins the output of the feed-forward network. Prompts
    stay up to the head. In a hierarchy the blocks of one width share their MLPs.

    Args:
        hidden_dim (int): Width of the MLPs; 256 as published, and 128 for part segmentation.
        group_ratio (float): Number of prompts as a part of the backbone's groups.
        size_ratio (int): Points of a prompt's group as a multiple of those of the backbone's groups. With 0.5 and 2
            both scales hold as many points; with 1.0 and 1, which most published configs come to, a prompt is a copy of
            a patch token.
    """

    needed_sites = ('norm2', 'mlp')
    unfoldable = 'its MLPs are not linear, and it adds tokens'

    def __init__(self, hidden_dim: int = 256, *, group_ratio: float = 0.5, size_ratio: int = 2) -> None:
        super().__init__()
        if not 0 < group_ratio <= 1 or size_ratio < 1:
            raise InvalidValueError(
                f'PPT has group_ratio={group_ratio} and size_ratio={size_ratio}; the first must be a part in (0, 1], '
                'the second a number from 1 on.'
            )
        self.hidden_dim, self.group_ratio, self.size_ratio = hidden_dim, group_ratio, size_ratio

    def setup(self, backbone: PointBackbone) -> None:
        """Create the MLPs of every width."""
        widths = list(dict.fromkeys(backbone.layer_dims))
        self.index_of_width = {width: index for index, width in enumerate(widths)}
        self.patch_mlps, self.prompt_mlps, self.block_mlps = (
            nn.ModuleList(small_mlp(width, self.hidden_dim, width) for width in widths) for _ in range(3)
        )
        self.num_kept_tokens = max(1, round(self.group_ratio * backbone.num_groups))
        self.embed_groups, self.embed_positions = backbone.embed_groups, backbone.embed_positions

    def attach(self, backbone: PointBackbone) -> None:
        """Act on what enters a block, and beside its feed-forward network."""
        for layer, (block, norm, mlp) in enumerate(
            zip(backbone.layers, backbone.sites('norm2'), backbone.sites('mlp'))
        ):
            self.on_input(block, self._change_patches)
            self.on_input(norm, self._branch_off(layer))
            self.on_output(mlp, self._join(layer))

    def begin(self, context: TuningContext) -> Inserted:
        """Embed the coarser groups: prompts (B, T, C) and their positions."""
        with torch.autocast(context.points.device.type, enabled=False):
            prompts, centers = coarser_tokens(
                context, self.embed_groups, self.num_kept_tokens, self.size_ratio
            )
            positions = self.embed_positions(centers)
        return Inserted(prompts, stay=True, positions=positions, change=self._change_prompts)

    def tokens_before(self, layer: int, x: Tensor) -> Inserted | None:
        """The prompts, before the first block."""
        return self.state if layer == 0 else None

    def _change_patches(self, x: Tensor) -> Tensor:
        prefix, patches = self.split(x)
        return torch.cat([prefix, patches + self._mlp_of(self.patch_mlps, x)(patches)], dim=1)

    def _change_prompts(self, prompts: Tensor) -> Tensor:
        return prompts + self._mlp_of(self.prompt_mlps, prompts)(prompts)

    def _branch_off(self, layer: int) -> Callable[[Tensor], Tensor]:
        """Read the tokens behind the attention of a block."""

        def read(x: Tensor) -> Tensor:
            self.keep_inside(layer, self._mlp_of(self.block_mlps, x)(x))
            return x

        return read

    def _join(self, layer: int) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda _, output: output + self.kept_inside(layer)

    def _mlp_of(self, mlps: nn.ModuleList, x: Tensor) -> nn.Module:
        return mlps[self.index_of_width[x.shape[-1]]]
