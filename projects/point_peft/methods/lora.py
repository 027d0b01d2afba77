"""LoRA: low-rank updates of frozen linear layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from ..ops import add_projected_up, project_down
from ..registry import MODELS
from .base import TuningMethod
from .weight_change import WeightChange


@MODELS.register_module()
class LoRA(TuningMethod):
    """Add ``(alpha / rank) B A x`` to the output of linear layers (Hu et al., ICLR 2022, arXiv 2106.09685, eq. 3).

    Args:
        rank (int): Rank r of the update.
        alpha (float): Numerator of the scale.
        targets (Sequence[str]): Sites of every block that are linear layers.
        dropout (float): Dropout of the update's input.
    """

    unfoldable = ''

    def __init__(
        self,
        rank: int = 8,
        *,
        alpha: float = 32.0,
        targets: Sequence[str] = ('attn.qkv', 'mlp.fc1', 'mlp.fc2'),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if rank < 1:
            raise InvalidValueError(f'rank={rank}, but LoRA needs at least 1.')
        self.rank, self.scale = rank, alpha / rank
        self.targets = self.needed_sites = tuple(targets)
        self.dropout = nn.Dropout(dropout)

    def setup(self, backbone: PointBackbone) -> None:
        """Create one update per target; B starts at zero, so nothing changes at first.

        Raises:
            ValueError: If a target is not a linear layer of the backbone's blocks.
        """
        self.updates = nn.ModuleList(_low_rank(layer, self.rank) for layer in self._target_layers(backbone))

    def attach(self, backbone: PointBackbone) -> None:
        """Act on the output of every target."""
        for layer, update in zip(self._target_layers(backbone), self.updates):
            self.on_output(layer, self._add(update))

    def weight_changes(self, backbone: PointBackbone) -> Sequence[WeightChange]:
        """``(alpha / rank) B A`` is added to every target's weight."""
        return [
            WeightChange(layer, update=self._product(update))
            for layer, update in zip(self._target_layers(backbone), self.updates)
        ]

    def _product(self, update: nn.Module) -> Tensor:
        """``(alpha / rank) B A`` (out, in)."""
        down, up = matrices(update)
        return self.scale * up @ down

    def _add(self, update: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        def add(x: Tensor, output: Tensor) -> Tensor:
            down, up = matrices(update)
            return add_projected_up(output, self._hidden(x, down), up)

        return add

    def _hidden(self, x: Tensor, down: Tensor) -> Tensor:
        """``(alpha / rank) A x`` (..., r)."""
        return self.scale * project_down(self.dropout(x), down)

    def _target_layers(self, backbone: PointBackbone) -> list[nn.Linear]:
        layers = []
        for blocks_layers in zip(*(backbone.sites(target) for target in self.targets)):
            for target, layer in zip(self.targets, blocks_layers):
                if not isinstance(layer, nn.Linear):
                    raise InvalidValueError(
                        f'LoRA target {target!r} is a {type(layer).__name__}, not a linear layer.'
                    )
                layers.append(layer)
        return layers


def matrices(update: nn.Module) -> tuple[Tensor, Tensor]:
    """A (r, in) and B (out, r) as they stand now, which may be other tensors than at first."""
    down, up = update.children()
    return down.get_parameter('weight'), up.get_parameter('weight')


def _low_rank(layer: nn.Linear, rank: int) -> nn.Sequential:
    """The pair A (in -> r, Kaiming uniform) and B (r -> out, zero)."""
    down = nn.Linear(layer.in_features, rank, bias=False)
    up = nn.Linear(rank, layer.out_features, bias=False)
    nn.init.zeros_(up.weight)
    return nn.Sequential(down, up)
