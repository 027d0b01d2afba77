"""Plain pre-trained networks; none of them knows about fine-tuning."""

from .act import ACT
from .base import PointBackbone
from .contract import ContractError, check_backbone
from .decoding import AnyBackbone, decoder_widths
from .plain_transformer import PlainTransformer
from .point_bert import PointBERT
from .point_gpt import PointGPT
from .point_m2ae import PointM2AE
from .point_mae import PointMAE
from .recon import ReCon

__all__ = [
    'ACT',
    'AnyBackbone',
    'ContractError',
    'PlainTransformer',
    'PointBERT',
    'PointBackbone',
    'PointGPT',
    'PointM2AE',
    'PointMAE',
    'ReCon',
    'check_backbone',
    'decoder_widths',
]
