"""The naming of the ``torch-pointcloud`` collection, brought back to the official one.

As the classes of torch-pointcloud 0.0.18 name their tensors: a stack of layers is an MLP of PyTorch Geometric, whose
linear layers are ``lins.<i>`` and whose norms are ``norms.<i>.module``; official code numbers all layers of a stack
through, the ones without tensors included. Convolutions of width 1 are linear layers there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from torch import Tensor

from ..io.weights.names import Renames, apply_renames

NAMING = 'torch-pointcloud'

FEED_FORWARD: Renames = (
    (r'(blocks\.\d+\.mlp)\.lins\.0\.', r'\1.fc1.'),
    (r'(blocks\.\d+\.mlp)\.lins\.1\.', r'\1.fc2.'),
)

HEAD_LAYERS, HEAD_LAYERS_WITHOUT_NORM = 4, 3


def stack(pattern: str, official: str, layers: int) -> tuple[str, Callable[[re.Match[str]], str]]:
    """Rename the layers of a stack: the linear ones come ``layers`` apart, each with its norm right behind it.

    Args:
        pattern (str): Regular expression for the stack's name.
        official (str): Its official name.
        layers (int): How many layers stand there for each linear one; norm, activation and dropout count.
    """

    def numbered(match: re.Match[str]) -> str:
        position = layers * int(match['index']) + (match['part'] == 'norms')
        return f'{match.expand(official)}.{position}.{match["rest"]}'

    return rf'^{pattern}\.(?P<part>lins|norms)\.(?P<index>\d+)\.(?:module\.)?(?P<rest>\w+)$', numbered


EMBEDDING: Renames = (
    stack(r'(.*\.)?local_mlp', r'\1first_conv', 3),
    stack(r'(.*\.)?global_mlp', r'\1second_conv', 3),
)
OTHER_STACKS: Renames = (stack(r'(.*)', r'\1', 2),)

MODELS: tuple[tuple[str, str, Renames], ...] = (
    ('Point-MAE', r'MAE_encoder\..*|norm_f\..*', ((r'^norm_f\.', 'norm.'),)),
    (
        'Point-BERT, fine-tuned',
        r'encoder\.reduce_dim\..*',
        ((r'^encoder\.blocks\.', 'blocks.blocks.'), (r'^encoder\.', '')),
    ),
    (
        'Point-BERT, pre-trained',
        r'reduce_dim\..*',
        ((r'^blocks\.', 'blocks.blocks.'), (r'^', 'transformer_q.')),
    ),
    (
        'PointGPT, fine-tuned',
        r'cls_norm\..*',
        ((r'^(cls_norm|cls_head_finetune)\.', r'blocks.\1.'),),
    ),
    ('PointGPT, pre-trained', r'sos_pos', ((r'^', 'GPT_Transformer.'),)),
)
"""Name, pattern of a tensor that such a file has, and what else is renamed; the first that fits is applied. Point-M2AE
needs no more than the above."""

POINTWISE = r'(.*\.)?(first_conv|second_conv|increase_dim)\.\d+\.weight'
"""Official names of the weights of convolutions of width 1."""


def is_collection(names: Iterable[str]) -> bool:
    """Whether tensors of these names come from the collection."""
    return any(re.fullmatch(r'.*\.lins\.\d+\.weight', name) for name in names)


def official_names(names: Iterable[str]) -> dict[str, str]:
    """Official names of the tensors of a file of the collection, by their names there."""
    names = list(names)
    head_has_norms = any(name.startswith('head.norms.') for name in names)
    head = stack('head', 'cls_head_finetune', HEAD_LAYERS if head_has_norms else HEAD_LAYERS_WITHOUT_NORM)
    own: Renames = next(
        (renames for _, marker, renames in MODELS if any(re.fullmatch(marker, name) for name in names)), ()
    )
    renames = (*FEED_FORWARD, *EMBEDDING, head, *OTHER_STACKS, *own)
    return {name: apply_renames(name, renames) for name in names}


def official_shapes(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors under official names, with linear weights in the shape (out, in, 1) where they are convolutions."""
    return {
        name: value.unsqueeze(-1) if value.dim() == 2 and re.fullmatch(POINTWISE, name) else value
        for name, value in state.items()
    }
