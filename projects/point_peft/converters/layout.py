"""What describes one kind of published file, and the patterns by which kinds are told apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..io.weights.names import Renames
from .sizes import State

PART_DECODER = r'(label_conv|propagations?_?\d*)\..*'
"""The decoder of a part segmentation; all published ones propagate features."""

CLS_HEAD = r'(blocks\.)?cls_head_finetune\..*'
"""The head of a classifier."""

OTHER_METHODS = r'(?i:.*(adapter|lora_|prompt|tfts_).*)|blocks\.cls\..*'
"""What tuning methods add to a backbone that is otherwise named as if fine-tuned in full."""

NOT_CLASSIFIER = f'{PART_DECODER}|{OTHER_METHODS}'
NOT_SEGMENTOR = f'{CLS_HEAD}|{OTHER_METHODS}'

CONTRAST = r'blocks\.blocks\.0\.attn_contrast\..*'
GLOBAL_TOKENS = r'(img|text)_token'
REDUCTION = r'reduce_dim\..*'
"""What the plain backbones have that Point-MAE has not: ReCon its second stream and its tokens, Point-BERT a layer."""

OTHER_BACKBONES = '|'.join((CONTRAST, GLOBAL_TOKENS, REDUCTION, r'blocks\.sos', r'h_encoder\..*'))
"""What tells other backbones in a part segmentation from Point-MAE and ACT."""

PREFIX_TUNING = {'type': 'SelectiveTuning', 'biases': False, 'final_norm': False}
"""The training of the class token, which all published files of tuned classifiers have."""

DECODER_MODULES = ('label_conv', 'propagation', 'dgcnn_pro_', 'convs', 'conv1', 'conv2', 'bns', 'bn1')
"""How the names of a decoder's modules start; nothing in a backbone starts so."""

IN_CLASSIFIER: Renames = ((r'^(?=cls_head_finetune\.)', 'head.'), (r'^(?!head\.)', 'backbone.'))
"""From a classifier of the field to ours."""

IN_TUNED_CLASSIFIER: Renames = (
    (r'^(?=cls_head_finetune\.)', 'head.'),
    (r'^(?!head\.|backbone\.)', 'backbone.backbone.'),
)
"""The same where methods tune the backbone; what is theirs has been renamed before."""

IN_SEGMENTOR: Renames = (
    (rf'^(?={"|".join(DECODER_MODULES)})', 'head.'),
    (r'^(?=generator_blocks\.)', 'auxiliary_head.'),
    (r'^(?!head\.|auxiliary_head\.)', 'backbone.'),
)
"""From a part segmentation of the field to ours."""

IN_TUNED_SEGMENTOR: Renames = (
    (rf'^(?={"|".join(DECODER_MODULES)})', 'head.'),
    (r'^(?!head\.|backbone\.)', 'backbone.backbone.'),
)
"""The same where methods tune the backbone."""


@dataclass(frozen=True)
class Layout:
    """How one kind of published file names its tensors.

    Patterns are regular expressions for whole names. A file is of this kind if one of its names matches ``marker``, one
    matches ``needs`` and none matches ``foreign``; no file is of two kinds.

    Attributes:
        kind (str): Name of the kind.
        config (str): Configs that the converted file is for; ``{dataset}`` and ``{size}`` are read from the tensors.
        marker (str): Pattern of a name that such a file has.
        model (Callable): Config of a model that has the tensors of such a file, for what the file should hold.
        renames (tuple): From published names to ours; what gets no name of the model is of no use here.
        needs (str): Pattern of a further name that it has, of the decoder for a task; empty for none.
        foreign (str): Pattern of names that such a file does not have; empty for none.
        has_head (bool): Whether the file holds the head, too.
        prior (str): Kind of the file that holds the frozen prior of a Point-PEFT release; empty if there is none.
        prior_renames (tuple): As ``renames``, for that file.
    """

    kind: str
    config: str
    marker: str
    model: Callable[[State], dict[str, Any]]
    renames: Renames = ()
    needs: str = ''
    foreign: str = ''
    has_head: bool = True
    prior: str = ''
    prior_renames: Renames = ()

    def fits(self, names: Iterable[str]) -> bool:
        """Whether a file with tensors of these names is of this kind."""
        names = list(names)
        has_all = all(_has(names, pattern) for pattern in (self.marker, self.needs) if pattern)
        return has_all and not (self.foreign and _has(names, self.foreign))


def _has(names: Iterable[str], pattern: str) -> bool:
    """Whether a name matches."""
    return any(re.fullmatch(pattern, name) for name in names)
