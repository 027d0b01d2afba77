"""DoRA: low-rank updates of the direction of weights, and their magnitudes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..ops import add_projected_up
from ..registry import MODELS
from .lora import LoRA, matrices
from .weight_change import WeightChange


@MODELS.register_module()
class DoRA(LoRA):
    """Weight-decomposed low-rank adaptation (Liu et al., ICML 2024, arXiv 2402.09353, eq. 5).

    A linear layer computes with ``m (W + s B A) / |W + s B A|``, ``s = alpha / rank``, where |.| is the norm of all
    weights to one output and the magnitudes m start as those of W. As in the paper (section 4.3) no gradient goes
    through the norm in the denominator.

    Args:
        rank (int): Rank r of the update.
        kwargs: As :class:`LoRA`.
    """

    unfoldable = ''
    needs_exact_weights = 'it divides by the norms of the weights, which autocast does not round'

    def __init__(self, rank: int = 8, **kwargs: Any) -> None:
        super().__init__(rank, **kwargs)

    def setup(self, backbone: PointBackbone) -> None:
        """Create updates and magnitudes; they change nothing at first."""
        super().setup(backbone)
        self.magnitudes = nn.ParameterList(
            nn.Parameter(_row_norms(layer.weight)) for layer in self._target_layers(backbone)
        )

    @torch.no_grad()
    def start_from(self, backbone: PointBackbone) -> None:
        """Take the magnitudes of the pre-trained weights."""
        for layer, magnitude in zip(self._target_layers(backbone), self.magnitudes):
            magnitude.copy_(_row_norms(layer.weight))

    def attach(self, backbone: PointBackbone) -> None:
        """Act on the output of every target."""
        for layer, update, magnitude in zip(self._target_layers(backbone), self.updates, self.magnitudes):
            self.on_output(layer, self._rescale(layer, update, magnitude))

    def weight_changes(self, backbone: PointBackbone) -> Sequence[WeightChange]:
        """Everything but the bias is scaled and updated."""
        changes = []
        for layer, update, magnitude in zip(self._target_layers(backbone), self.updates, self.magnitudes):
            ratio = self._ratio(layer, update, magnitude)
            shift = None if layer.bias is None else (1 - ratio) * layer.bias
            changes.append(WeightChange(layer, ratio, ratio.unsqueeze(1) * self._product(update), shift))
        return changes

    def _rescale(
        self, layer: nn.Linear, update: nn.Module, magnitude: Tensor
    ) -> Callable[[Tensor, Tensor], Tensor]:
        def rescale(x: Tensor, output: Tensor) -> Tensor:
            ratio = self._ratio(layer, update, magnitude).to(output.dtype)
            of_weight = output if layer.bias is None else output - layer.bias.to(output.dtype)
            down, up = matrices(update)
            # Written so that a ratio of one and an update of zero leave the output as it is, bit for bit.
            rescaled = output + (ratio - 1) * of_weight
            return add_projected_up(rescaled, self._hidden(x, down), ratio.unsqueeze(1) * up)

        return rescale

    def _ratio(self, layer: nn.Linear, update: nn.Module, magnitude: Tensor) -> Tensor:
        """Magnitudes (out,) over the norms that the updated weights have."""
        with torch.no_grad(), torch.autocast(magnitude.device.type, enabled=False):
            norms = _row_norms(layer.weight + self._product(update))
        return magnitude / norms


def _row_norms(weight: Tensor) -> Tensor:
    """Norms (out,) of the weights (out, in) to each output; never zero, so that they can be divided by."""
    return weight.detach().norm(dim=1).clamp_min(torch.finfo(weight.dtype).tiny)
