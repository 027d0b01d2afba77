"""Layers shared by the backbones."""

from .attention import Attention
from .batch_norm import BatchNorm1d
from .block import Block, BlockStack
from .causal import CausalBlock, CausalStack, causal_mask, sine_position
from .cross_attention import CrossAttention
from .drop_path import DropPath, drop_path_rates
from .extra_channels import ExtraChannels
from .linear import Linear
from .mlp import Mlp
from .patch_embed import PatchEmbed, PositionMlp, position_mlp
from .recomputation import is_recomputation

__all__ = [
    'Attention',
    'BatchNorm1d',
    'Block',
    'BlockStack',
    'CausalBlock',
    'CausalStack',
    'CrossAttention',
    'DropPath',
    'ExtraChannels',
    'Linear',
    'Mlp',
    'PatchEmbed',
    'PositionMlp',
    'causal_mask',
    'drop_path_rates',
    'is_recomputation',
    'position_mlp',
    'sine_position',
]
