"""PointLoRA: low-rank updates with shared nonlinear branches, and selected tokens of several scales."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from ..ops import gather
from ..registry import MODELS
from .coarser_groups import coarser_tokens
from .context import Inserted, TuningContext
from .lora import LoRA
from .small_mlp import small_mlp


@MODELS.register_module()
class PointLoRA(LoRA):
    """LoRA on the attention of every block, beside tokens that are selected at several scales (CVPR 2025, 2504.16023).

    To ``(alpha / r) B A x`` an MLP of ``x`` is added, one per target that all blocks of one width share. A predictor
    scores the groups of every scale, and the best tokens join the sequence, with their positions, and stay. Before
    every block ``x + MLP(x)`` replaces the patch tokens, and with another MLP the selected ones.

    In the published code nothing but the entropy of the scores trains the predictor, so selection is not learned.
    Here a selected token is multiplied by ``1 + p - stop_gradient(p)`` with its score p, which is 1 and gives the
    predictor the gradient of the task. The tokens of a scale that is the backbone's own are not embedded again.

    Args:
        rank (int): Rank r of the updates; 8 as published.
        alpha (float): Numerator of their scale; ``rank``, since the published code does not scale.
        targets (Sequence[str]): Sites of every block that are linear layers.
        dropout (float): Dropout of the updates' input.
        hidden_dim (int): Width of the shared MLPs; 32 as published.
        group_ratios (Sequence[float]): Groups of every scale, as parts of the backbone's; published: 128 and 64 of 128.
        size_ratios (Sequence[int]): Points of its groups, as multiples of the backbone's; published: 32 and 64 at 32.
        selected (Sequence[float]): Part of its groups whose tokens are selected; published: 32 of 128 and 8 of 64.

    Source: songw-zju/PointLoRA at 82719f0, ``models/PointLoRA.py`` and ``utils/lora.py``.
    """

    unfoldable = 'its shared branches are not linear, and it adds tokens'

    def __init__(
        self,
        rank: int = 8,
        *,
        alpha: float = 8.0,
        targets: Sequence[str] = ('attn.qkv', 'attn.proj'),
        dropout: float = 0.0,
        hidden_dim: int = 32,
        group_ratios: Sequence[float] = (1.0, 0.5),
        size_ratios: Sequence[int] = (1, 2),
        selected: Sequence[float] = (0.25, 0.125),
    ) -> None:
        super().__init__(rank, alpha=alpha, targets=targets, dropout=dropout)
        if not len(group_ratios) == len(size_ratios) == len(selected) > 0:
            raise InvalidValueError(
                f'PointLoRA has {len(group_ratios)} group_ratios, {len(size_ratios)} size_ratios and {len(selected)} '
                'parts to select; give one of each for every scale.'
            )
        self.hidden_dim = hidden_dim
        self.scales = tuple(zip(group_ratios, size_ratios, selected))

    def setup(self, backbone: PointBackbone) -> None:
        """Create the updates, the shared MLPs and the predictor.

        Raises:
            ValueError: If a target is not a linear layer, or a scale selects nothing or more groups than there are.
        """
        super().setup(backbone)
        for (
            update
        ) in self.updates:  # frozen at 1 in training; published files have it, so that it is read from them
            update.register_buffer('branch_scale', torch.ones(1))
        widths = list(dict.fromkeys(backbone.layer_dims))
        self.index_of_width = {width: index for index, width in enumerate(widths)}
        self.branches = nn.ModuleDict()
        for name, layer in self._branched(backbone):
            if name not in self.branches:
                self.branches[name] = small_mlp(layer.in_features, self.hidden_dim, layer.out_features)
        self.patch_mlps = nn.ModuleList(small_mlp(width, self.hidden_dim, width) for width in widths)
        self.selected_mlps = nn.ModuleList(small_mlp(width, self.hidden_dim, width) for width in widths)
        width = widths[0]
        self.predictor = nn.Sequential(nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, 1))
        self.counts = [_counts(backbone.num_groups, groups, part) for groups, _, part in self.scales]
        self.num_kept_tokens = sum(count for _, count in self.counts)
        self.embed_groups, self.embed_positions = backbone.embed_groups, backbone.embed_positions

    def attach(self, backbone: PointBackbone) -> None:
        """Act on the output of every target, and on the patch tokens that enter a block."""
        super().attach(backbone)
        for (name, layer), update in zip(self._branched(backbone), self.updates):
            self.on_output(layer, self._add_branch(self.branches[name], update))
        for block in backbone.layers:
            self.on_input(block, self._change_patches)

    def begin(self, context: TuningContext) -> Inserted:
        """Select the tokens (B, T, C) of all scales, with positions."""
        found = []
        with torch.autocast(context.points.device.type, enabled=False):
            for (groups, count), (_, size_ratio, _) in zip(self.counts, self.scales):
                scale = coarser_tokens(context, self.embed_groups, groups, size_ratio)
                found.append(self._select(*scale, count))
        tokens, positions = (torch.cat(parts, dim=1) for parts in zip(*found))
        return Inserted(tokens, stay=True, positions=positions, change=self._change_selected)

    def tokens_before(self, layer: int, x: Tensor) -> Inserted | None:
        """The selected tokens, before the first block."""
        return self.state if layer == 0 else None

    def _select(self, tokens: Tensor, centers: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """The tokens (B, T, C) with the highest scores, and their positions."""
        score = self.predictor(tokens).sigmoid()  # (B, G', 1)
        best = score.squeeze(-1).topk(count, dim=1).indices  # (B, T)
        score = gather(score, best)
        chosen = gather(tokens, best) * (score - score.detach() + 1)
        return chosen, self.embed_positions(gather(centers, best))

    def _change_patches(self, x: Tensor) -> Tensor:
        prefix, patches = self.split(x)
        mlp = self.patch_mlps[self.index_of_width[x.shape[-1]]]
        return torch.cat([prefix, patches + mlp(patches)], dim=1)

    def _change_selected(self, x: Tensor) -> Tensor:
        return x + self.selected_mlps[self.index_of_width[x.shape[-1]]](x)

    def _add_branch(self, branch: nn.Module, update: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda x, output: output + update.get_buffer('branch_scale') * branch(x)

    def _branched(self, backbone: PointBackbone) -> Iterable[tuple[str, nn.Linear]]:
        """The targets in the order of the updates, each with the name of its branch."""
        for number, layer in enumerate(self._target_layers(backbone)):
            block, target = divmod(number, len(self.targets))
            index = self.index_of_width[backbone.layer_dims[block]]
            yield f'{self.targets[target].replace(".", "_")}_{index}', layer


def _counts(num_groups: int, ratio: float, selected: float) -> tuple[int, int]:
    """Groups of a scale, and how many of them are selected.

    Raises:
        ValueError: If a part is not in (0, 1].
    """
    if not (0 < ratio <= 1 and 0 < selected <= 1):
        raise InvalidValueError(
            f'PointLoRA has a scale of {ratio} of the groups of which {selected} are selected; both must be parts in '
            '(0, 1].'
        )
    groups = max(1, round(ratio * num_groups))
    return groups, max(1, round(selected * groups))
