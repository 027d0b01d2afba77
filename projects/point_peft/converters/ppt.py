"""Published files of PPT on Point-MAE (zsc000722/PPT)."""

from __future__ import annotations

from typing import Any

from .heads import classifier, plain_segmentor
from .layout import (
    CLS_HEAD,
    IN_TUNED_CLASSIFIER,
    IN_TUNED_SEGMENTOR,
    OTHER_BACKBONES,
    PART_DECODER,
    PREFIX_TUNING,
    Layout,
)
from .sizes import State, needed, plain

METHOD = 'backbone.methods.0.'
MARKER = r'blocks\.prompt_all_mlp\.2\.weight'

RENAMES: Any = (
    (r'^blocks\.prompt_mlp\.', f'{METHOD}patch_mlps.0.'),
    (r'^blocks\.prompt_pos_mlp\.', f'{METHOD}prompt_mlps.0.'),
    (r'^blocks\.prompt_all_mlp\.', f'{METHOD}block_mlps.0.'),
)


def _methods(state: State) -> list[dict[str, Any]]:
    """The methods, with MLPs of the width in the file."""
    width = len(needed(state, 'blocks.prompt_all_mlp.0.bias'))
    trained = {**PREFIX_TUNING, 'embedding': True, 'positions': True}
    return [{'type': 'PPT', 'hidden_dim': width}, trained]


LAYOUTS = (
    Layout(
        'PPT on Point-MAE, fine-tuned',
        'configs/ppt/release/pointmae_scanobjnn.py',
        marker=MARKER,
        needs=CLS_HEAD,
        foreign=OTHER_BACKBONES,
        model=lambda state: classifier(plain(state), state, methods=_methods(state)),
        renames=(*RENAMES, *IN_TUNED_CLASSIFIER),
    ),
    Layout(
        'PPT on Point-MAE, part segmentation',
        'configs/ppt/release/pointmae_shapenetpart.py',
        marker=MARKER,
        needs=PART_DECODER,
        foreign=f'{OTHER_BACKBONES}|cls_token',
        model=lambda state: plain_segmentor(plain(state, class_token=False), state, methods=_methods(state)),
        renames=(*RENAMES, *IN_TUNED_SEGMENTOR),
    ),
)
