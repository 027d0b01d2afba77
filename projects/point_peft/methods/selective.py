"""Selective tuning of the backbone's own biases, norms, prefix tokens and embeddings."""

from __future__ import annotations

from torch import nn

from ..backbones import PointBackbone
from ..backbones.layers import PatchEmbed, PositionMlp
from ..io.errors import InvalidValueError
from ..registry import MODELS
from .base import TuningMethod

NUM_COORDINATES = 3


@MODELS.register_module()
class SelectiveTuning(TuningMethod):
    """Train some of the backbone's own small parameters in place (as BitFit, arXiv 2106.10199, does with biases).

    Point-PEFT trains the biases inside the blocks, the final norm and the class token with its position.

    Args:
        biases (bool): Biases of linear layers and norms inside the blocks.
        norm_weights (bool): Weights of the norms inside the blocks.
        final_norm (bool): Weight and bias of the norm after the last block.
        prefix (bool): Prefix tokens and their positions (class token ...), which often are not pre-trained.
        embedding (bool): The first half of the PointNet that embeds groups (``first_conv``), as PPT and PointLoRA do.
        positions (bool): The layers that embed the positions of centers, as PPT and PointLoRA do; PointGPT has none.
    """

    unfoldable = ''

    def __init__(
        self,
        *,
        biases: bool = True,
        norm_weights: bool = False,
        final_norm: bool = True,
        prefix: bool = True,
        embedding: bool = False,
        positions: bool = False,
    ) -> None:
        super().__init__()
        self.tunes_embedding, self.positions = embedding, positions
        self.biases, self.norm_weights, self.final_norm, self.prefix = (
            biases,
            norm_weights,
            final_norm,
            prefix,
        )
        self.names: list[str] = []

    def setup(self, backbone: PointBackbone) -> None:
        """Find the parameters by the kind of module that owns them."""
        modules = [
            (module, f'{layer_name}.{name}')
            for layer_name, layer in _named_layers(backbone)
            for name, module in layer.named_modules()
        ]
        if self.biases:
            self.names += [
                f'{name}.bias'
                for module, name in modules
                if isinstance(module, (nn.Linear, nn.LayerNorm)) and module.bias is not None
            ]
        if self.norm_weights:
            self.names += [f'{name}.weight' for module, name in modules if isinstance(module, nn.LayerNorm)]
        if self.final_norm:
            path = next(name for name, module in backbone.named_modules() if module is backbone.final_norm())
            self.names += [f'{path}.{name}' for name, _ in backbone.final_norm().named_parameters()]
        if self.prefix:
            self.names += backbone.prefix_parameters()
        if self.tunes_embedding:
            self.names += _first_convolutions(backbone)
        if self.positions:
            self.names += _parameters_of(backbone, PositionMlp)

    def backbone_parameters(self) -> list[str]:
        """Names of the selected parameters."""
        return self.names


def _named_layers(backbone: PointBackbone) -> list[tuple[str, nn.Module]]:
    """Blocks with their names in the backbone."""
    layers = {id(layer) for layer in backbone.layers}
    return [(name, module) for name, module in backbone.named_modules() if id(module) in layers]


def _first_convolutions(backbone: PointBackbone) -> list[str]:
    """Parameters of the first half of what embeds groups of points.

    Raises:
        ValueError: If the backbone embeds them in another way.
    """
    names = [
        name
        for path, module in backbone.named_modules()
        if isinstance(module, PatchEmbed) and module.in_channels == NUM_COORDINATES
        for name in _named(f'{path}.first_conv', module.first_conv)
    ]
    if not names:
        raise InvalidValueError(
            f'SelectiveTuning embedding=True trains the first_conv of a PatchEmbed, but {type(backbone).__name__} has '
            'none; set embedding=False.'
        )
    return names


def _parameters_of(backbone: PointBackbone, kind: type[nn.Module]) -> list[str]:
    """Parameters of the modules of a kind."""
    modules = ((path, module) for path, module in backbone.named_modules() if isinstance(module, kind))
    return [name for path, module in modules for name in _named(path, module)]


def _named(path: str, module: nn.Module) -> list[str]:
    return [f'{path}.{name}' for name, _ in module.named_parameters()]
