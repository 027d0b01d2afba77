"""Which blocks of a backbone decoders read, and how wide the tokens are that they get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class AnyBackbone(Protocol):
    """What a head may ask of its backbone, plain or tuned, when it is built; see :class:`PointBackbone`."""

    @property
    def embed_dim(self) -> int:
        """Dimension C of the tokens behind the last block."""

    @property
    def num_prefix_tokens(self) -> int:
        """Number P of prefix tokens."""

    @property
    def num_kept_tokens(self) -> int:
        """How many of them are tokens of tuning methods."""

    @property
    def num_groups(self) -> int:
        """Groups G per cloud."""

    @property
    def layer_dims(self) -> Sequence[int]:
        """Token dimension of every block."""

    @property
    def decoder_layers(self) -> Sequence[Sequence[int]]:
        """Blocks that decoders read, for every stage, finest stage first."""


def decoder_widths(backbone: AnyBackbone) -> list[int]:
    """Width W_s of what decoders get of every stage: the tokens of its blocks side by side."""
    return [sum(backbone.layer_dims[layer] for layer in layers) for layers in backbone.decoder_layers]


def default_decoder_layers(layer_stages: Sequence[int]) -> Sequence[Sequence[int]]:
    """The blocks that published decoders read.

    Without a hierarchy three, evenly spaced: the 4th, 8th and 12th of twelve (Point-MAE); a network of fewer than three
    gives some twice. Of a hierarchy the last of every stage (Point-M2AE).

    Args:
        layer_stages (Sequence[int]): Stage of every block.
    """
    depth, stages = len(layer_stages), sorted(set(layer_stages))
    if len(stages) == 1:
        return [[max(depth * part // 3 - 1, 0) for part in (1, 2, 3)]]
    return [[max(layer for layer in range(depth) if layer_stages[layer] == stage)] for stage in stages]


def problem_of_decoder_layers(
    decoder_layers: Sequence[Sequence[int]], layer_stages: Sequence[int]
) -> str | None:
    """What is wrong unless there are blocks of every stage, each of which exists and is of that stage."""
    said, last = f'decoder_layers={decoder_layers!r}', len(layer_stages) - 1
    if not all(isinstance(layers, Sequence) and layers for layers in decoder_layers):
        return f'{said} must list blocks for every stage, such as [[3, 7, 11]]'
    if len(decoder_layers) != len(set(layer_stages)):
        return f'{said} has {len(decoder_layers)} stages, but there are {len(set(layer_stages))}'
    for stage, layers in enumerate(decoder_layers):
        for layer in layers:
            if not 0 <= layer <= last:
                return f'{said} names block {layer}, but they go from 0 to {last}'
            if layer_stages[layer] != stage:
                return f'{said} has block {layer} in stage {stage}, but it is of {layer_stages[layer]}'
    return None
