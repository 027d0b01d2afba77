"""Layers shared by the backbones."""

from .attention import Attention, attend
from .block import Block, BlockStack
from .drop_path import DropPath, drop_path_rates
from .mlp import Mlp
from .patch_embed import PatchEmbed, position_mlp

__all__ = [
    'Attention',
    'Block',
    'BlockStack',
    'DropPath',
    'Mlp',
    'PatchEmbed',
    'attend',
    'drop_path_rates',
    'position_mlp',
]
