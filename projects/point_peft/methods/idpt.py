"""IDPT: a prompt made of each cloud's own tokens (Zha et al., ICCV 2023, arXiv 2304.07221)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from ..registry import MODELS
from .base import TuningMethod
from .context import Inserted
from .edge_conv import EdgeConvStack

POSITION_STD = 0.02


@MODELS.register_module()
class IDPT(TuningMethod):
    """Instance-aware dynamic prompt tuning (section 3.3): edge convolutions on the patch tokens make one prompt.

    What enters a prompted block, before positions are added, goes through the edge convolutions, and the maximum over
    the tokens is the prompt of the cloud. It has a position of its own, and stays up to the head. (In the first block
    of a stage positions have been added already.)

    Args:
        layers (Sequence[int]): Blocks that get a prompt, counted from the end if negative; the last one in the paper.
        num_neighbors (int): Neighbours K of a token in feature space; 20 in the published code.
        num_convs (int): Edge convolutions; 3 in the published code. With 0 a pointwise layer alone makes the prompt, as
            in the published part segmentation.
        stay (bool): Whether a prompt goes on to the next blocks and to the head; else it is taken out behind its block.
        train_position (bool): Whether the position is trained; in the published code it keeps its random values.
    """

    def __init__(
        self,
        layers: Sequence[int] = (-1,),
        *,
        num_neighbors: int = 20,
        num_convs: int = 3,
        stay: bool = True,
        train_position: bool = True,
    ) -> None:
        super().__init__()
        self.layers, self.num_neighbors, self.num_convs = tuple(layers), num_neighbors, num_convs
        self.stay, self.train_position = stay, train_position
        self.num_kept_tokens = len(self.layers) if stay else 0

    def setup(self, backbone: PointBackbone) -> None:
        """Create one stack of edge convolutions per prompted block, and the position that their prompts share.

        Raises:
            ValueError: If ``layers`` names a block that does not exist or one twice, or blocks of several widths.
        """
        depth = len(backbone.layers)
        chosen = [layer + depth if layer < 0 else layer for layer in self.layers]
        if not chosen or len(set(chosen)) < len(chosen) or not all(0 <= layer < depth for layer in chosen):
            raise InvalidValueError(
                f'IDPT layers={self.layers} must name blocks, each once, but the backbone has blocks 0 to {depth - 1}.'
            )
        widths = {backbone.layer_dims[layer] for layer in chosen}
        if len(widths) > 1:
            raise InvalidValueError(
                f'IDPT layers={self.layers} are blocks of widths {sorted(widths)}, but its prompts share a position; '
                'name blocks of one stage.'
            )
        (dim,) = widths
        self.numbers = {layer: number for number, layer in enumerate(chosen)}
        self.generators = nn.ModuleList(
            EdgeConvStack(dim, (dim,) * self.num_convs, dim, num_neighbors=self.num_neighbors) for _ in chosen
        )
        position = nn.init.trunc_normal_(torch.empty(1, 1, dim), std=POSITION_STD)
        self.position_embedding = nn.Parameter(position, requires_grad=self.train_position)

    def attach(self, backbone: PointBackbone) -> None:
        """Read what leaves the block in front of each prompted one, as long as that is of the same stage."""
        stages = backbone.layer_stages
        for layer in self.numbers:
            if layer and stages[layer - 1] == stages[layer]:
                self._read(backbone.layers[layer - 1], layer)

    def _read(self, block: nn.Module, layer: int) -> None:
        def read(_: Tensor, x: Tensor) -> Tensor:
            self.hand_on(layer, self.split(x)[1])
            return x

        self.on_output(block, read)

    def tokens_before(self, layer: int, x: Tensor) -> Inserted | None:
        """The prompt (B, 1, C) of a prompted block."""
        if layer not in self.numbers:
            return None
        before = self.handed_to(layer)
        patches = self.split(x)[1] if before is None else before
        prompt = self.generators[self.numbers[layer]](patches).amax(dim=1, keepdim=True)
        return Inserted(prompt, stay=self.stay, positions=self.position_embedding)
