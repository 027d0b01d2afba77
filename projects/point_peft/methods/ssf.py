"""SSF: scaling and shifting the features behind every layer of the blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from ..registry import MODELS
from .base import TuningMethod
from .weight_change import WeightChange

SITES = ('norm1', 'attn.qkv', 'attn.proj', 'norm2', 'mlp.fc1', 'mlp.fc2')
"""Norms and linear layers of a block, as in the published code (``vision_transformer.py``)."""


@MODELS.register_module()
class SSF(TuningMethod):
    """Scale and shift features per channel, ``gamma * y + beta`` (Lian et al., NeurIPS 2022, arXiv 2210.08823).

    Args:
        sites (Sequence[str]): Sites that are linear layers or layer norms.
        final_norm (bool): Whether the norm behind the last block has them too, as in the published code. In front of a
            head that starts with a linear layer and a batch norm, these shifts have no effect.
        std (float): Standard deviation with which gamma starts around one and beta around zero; 0.02 in the published
            code, 0 starts at the identity.
    """

    unfoldable = ''

    def __init__(self, sites: Sequence[str] = SITES, *, final_norm: bool = False, std: float = 0.0) -> None:
        super().__init__()
        self.acts_on = self.needed_sites = tuple(sites)
        self.final_norm, self.std = final_norm, std

    def setup(self, backbone: PointBackbone) -> None:
        """Create scale and shift of every layer.

        Raises:
            ValueError: If a site is neither a linear layer nor a layer norm with weights.
        """
        widths = [layer.get_parameter('weight').shape[0] for layer in self._layers(backbone)]
        self.scales = nn.ParameterList(nn.Parameter(1 + self.std * torch.randn(width)) for width in widths)
        self.shifts = nn.ParameterList(nn.Parameter(self.std * torch.randn(width)) for width in widths)

    def attach(self, backbone: PointBackbone) -> None:
        """Act on the output of every layer."""
        for layer, scale, shift in zip(self._layers(backbone), self.scales, self.shifts):
            self.on_output(layer, _scale_and_shift(scale, shift))

    def weight_changes(self, backbone: PointBackbone) -> Sequence[WeightChange]:
        """A layer can do both itself."""
        return [
            WeightChange(layer, scale=scale, shift=shift)
            for layer, scale, shift in zip(self._layers(backbone), self.scales, self.shifts)
        ]

    def _layers(self, backbone: PointBackbone) -> Iterator[nn.Module]:
        for site in self.acts_on:
            for layer in backbone.sites(site):
                if not (isinstance(layer, (nn.Linear, nn.LayerNorm)) and layer.weight is not None):
                    raise InvalidValueError(
                        f'SSF site {site!r} is a {type(layer).__name__}, not a linear layer or layer norm with weights.'
                    )
                yield layer
        if self.final_norm:
            yield backbone.final_norm()


def _scale_and_shift(scale: Tensor, shift: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda _, output: output * scale.to(output.dtype) + shift.to(output.dtype)
