"""Published files of IDPT on Point-MAE (zyh16143998882/ICCV23-IDPT)."""

from __future__ import annotations

import re
from typing import Any

from .heads import classifier, plain_segmentor
from .layout import IN_TUNED_CLASSIFIER, IN_TUNED_SEGMENTOR, OTHER_BACKBONES, PREFIX_TUNING, Layout
from .sizes import State, count, plain

METHOD = 'backbone.methods.0.'

PROMPTED = (3, 7, 11)
"""Blocks that get a prompt in the published part segmentation."""


def _edge_conv(match: re.Match[str]) -> str:
    """Name of a layer of an edge convolution; the published code counts them from 1."""
    part = {'0': 'linear', '1': 'norm'}[match[2]]
    return f'{METHOD}generators.0.convs.{int(match[1]) - 1}.{part}.'


def _generator(match: re.Match[str]) -> str:
    """Where the layers stand that make the prompt of a block."""
    return f'{METHOD}generators.{PROMPTED.index(int(match[1]))}.'


def _classifier(state: State) -> dict[str, Any]:
    """A classifier whose prompt has as many edge convolutions as the file."""
    convs = count({name: value for name, value in state.items() if '.cls.conv' in name}, 'blocks.cls.')
    method = {'type': 'IDPT', 'num_convs': convs - 1}  # the last one joins
    return classifier(plain(state), state, methods=[method, PREFIX_TUNING])


def _segmentor(state: State) -> dict[str, Any]:
    """The part segmentation; the published names of modules that are trained end in ``_cls``."""
    state = {re.sub(r'_cls(?=\.)', '', name): value for name, value in state.items()}
    method = {'type': 'ReleaseIDPT', 'layers': PROMPTED, 'num_convs': 0, 'stay': False}
    return plain_segmentor(
        plain(state, class_token=False), state, methods=[method], kind='ReleaseIDPTPartSegHead'
    )


LAYOUTS = (
    Layout(
        'IDPT on Point-MAE, fine-tuned',
        'configs/idpt/release/pointmae_scanobjnn.py and configs/idpt/pointmae_{dataset}.py',
        marker=r'blocks\.cls\.conv1\.0\.weight',
        foreign=OTHER_BACKBONES,
        model=_classifier,
        renames=(
            (r'^blocks\.cls\.conv([1-4])\.([01])\.', _edge_conv),
            (r'^blocks\.cls\.conv5\.0\.', f'{METHOD}generators.0.join.'),
            (r'^blocks\.cls\.conv5\.1\.', f'{METHOD}generators.0.norm.'),
            (r'^prompt_pos$', f'{METHOD}position_embedding'),
            *IN_TUNED_CLASSIFIER,
        ),
    ),
    Layout(
        'IDPT on Point-MAE, part segmentation',
        'configs/idpt/release/pointmae_shapenetpart.py',
        marker=r'blocks\.dgcnn_cls\d+\.conv5\.0\.weight',
        foreign=f'{OTHER_BACKBONES}|cls_token',
        model=_segmentor,
        renames=(
            (r'^blocks\.dgcnn_cls(\d+)\.(?=conv5\.)', _generator),
            (r'\.conv5\.0\.', '.join.'),
            (r'\.conv5\.1\.', '.norm.'),
            (r'^prompt_cls_pos$', f'{METHOD}position_embedding'),
            (r'_cls(?=\.)', ''),
            *IN_TUNED_SEGMENTOR,
        ),
    ),
)
