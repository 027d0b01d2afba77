"""Published checkpoint layouts, as data, and their conversion to this project's names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from ..engine.errors import CheckpointError
from ..registry import MODELS

HEAD = 'cls_head_finetune.'
NUM_REFERENCE_CLASSES = 15


@dataclass(frozen=True)
class Layout:
    """How one kind of published file names its tensors.

    Attributes:
        kind (str): Name of the kind.
        config (str): Config that the converted file is for.
        marker (str): Regular expression that one of the names must match; layouts are tried in order.
        renames (tuple): Pairs of prefixes (published, ours); the first that fits is applied.
        model (Callable): Config of a model that has the tensors of such a file, for what the file should hold.
    """

    kind: str
    config: str
    marker: str
    renames: tuple[tuple[str, str], ...]
    model: Callable[[Mapping[str, Tensor]], dict[str, Any]]


@dataclass
class Conversion:
    """Result of a conversion.

    Attributes:
        kind (str): Detected kind.
        config (str): Config that the file is for.
        state_dict (dict[str, Tensor]): Tensors under our names.
        used, skipped, missed (list[str]): Published names that were used, published names that were not, and names of
            ours that no file gave.
    """

    kind: str
    config: str
    state_dict: dict[str, Tensor]
    used: list[str]
    skipped: list[str]
    missed: list[str]


def _sizes(state: Mapping[str, Tensor], prefix: str) -> dict[str, int]:
    """Dimensions of a Point-MAE, read from its tensors."""
    depth = len(
        {
            name.split('.')[2 + prefix.count('.')]
            for name in state
            if name.startswith(f'{prefix}blocks.blocks.')
        }
    )
    norm = state.get(f'{prefix}norm.weight')
    if norm is None:
        raise CheckpointError(
            f'the file has no {prefix}norm.weight, so it is incomplete; give it as published.'
        )
    dim = len(norm)
    return {'embed_dim': dim, 'depth': depth, 'num_heads': max(1, dim // 64)}


def _classifier(state: Mapping[str, Tensor], backbone: dict[str, Any]) -> dict[str, Any]:
    final = [value for name, value in state.items() if re.fullmatch(rf'{HEAD}\d+\.bias', name)]
    classes = len(final[-1]) if final else NUM_REFERENCE_CLASSES
    return {
        'type': 'PointClassifier',
        'backbone': backbone,
        'head': {'type': 'PointClsHead', 'num_classes': classes},
    }


def _autoencoder(state: Mapping[str, Tensor]) -> dict[str, Any]:
    decoder = len({name.split('.')[2] for name in state if name.startswith('MAE_decoder.blocks.')})
    sizes = _sizes(state, 'MAE_encoder.')
    out = state.get('increase_dim.0.weight')
    encoder = {
        'type': 'PointMAE',
        'class_token': False,
        'group_size': len(out) // 3 if out is not None else 32,
        **sizes,
    }
    return {
        'type': 'PointMAEPretrain',
        'encoder': encoder,
        'decoder_depth': decoder or 4,
        'decoder_num_heads': sizes['num_heads'],
    }


CLASSIFIER_RENAMES = ((HEAD, f'head.{HEAD}'), ('', 'backbone.'))
PRIOR_RENAMES = (('MAE_encoder.', 'backbone.prior.'), ('', 'unused.'))

LAYOUTS = (
    Layout(
        'Point-PEFT on Point-MAE, fine-tuned',
        'configs/point_peft/release/pointmae_scanobjnn.py',
        r'blocks\.attn1\.qkv\.weight',
        CLASSIFIER_RENAMES,
        lambda state: _classifier(state, {'type': 'ReleasePointPEFT'}),
    ),
    Layout(
        'Point-MAE, pre-trained',
        'configs/pretrain/pointmae_shapenet55.py and every init_cfg of a PointMAE',
        r'MAE_encoder\.blocks\.blocks\.0\..*',
        (('', ''),),
        _autoencoder,
    ),
    Layout(
        'Point-MAE, fine-tuned',
        'configs/full/pointmae_*.py',
        r'blocks\.blocks\.0\.norm1\.weight',
        CLASSIFIER_RENAMES,
        lambda state: _classifier(state, {'type': 'PointMAE', **_sizes(state, '')}),
    ),
)


def convert_checkpoint(
    state: Mapping[str, Tensor],
    *,
    source: str,
    prior: Mapping[str, Tensor] | None = None,
    memory_bank: Tensor | None = None,
) -> Conversion:
    """Rename the tensors of a published checkpoint.

    Args:
        state (Mapping[str, Tensor]): Its tensors, without wrapper key and ``module.``.
        source (str): Its name, for messages.
        prior (Mapping[str, Tensor] | None): Tensors of the pre-trained prior of a Point-PEFT release.
        memory_bank (Tensor | None): (C, N) bank of a Point-PEFT release.

    Raises:
        CheckpointError: If no tensor fits a known layout, or a prior or bank is given that the kind has no use for.
    """
    layout = next(
        (layout for layout in LAYOUTS if any(re.fullmatch(layout.marker, name) for name in state)), None
    )
    if layout is None:
        raise CheckpointError(
            f'{source} matches no known layout ({", ".join(layout.kind for layout in LAYOUTS)}); its '
            f'tensors start with {sorted(state)[:3]}; give the file as published.'
        )
    is_point_peft = layout is LAYOUTS[0]
    if not is_point_peft and (prior is not None or memory_bank is not None):
        raise CheckpointError(
            f'{source} is "{layout.kind}", which has no prior and no memory bank; leave --prior and '
            '--memory-bank out.'
        )
    expected = _expected_shapes(layout, state)
    renamed = {name: _rename(name, layout.renames) for name in state}
    used = {name: ours for name, ours in renamed.items() if expected.get(ours) == state[name].shape}
    if not used:
        raise CheckpointError(
            f'no tensor of {source} fits "{layout.kind}" by name and shape; give the file as published.'
        )
    converted = {ours: state[name] for name, ours in used.items()}
    skipped = [name for name in state if name not in used]
    if prior is not None:
        renamed = {name: _rename(name, PRIOR_RENAMES) for name in prior}
        fitting = {name: ours for name, ours in renamed.items() if expected.get(ours) == prior[name].shape}
        if not fitting:
            raise CheckpointError(
                'no tensor of the file given with --prior fits the prior Point_MAE; give the pre-trained '
                'Point-MAE checkpoint.'
            )
        converted.update({ours: prior[name] for name, ours in fitting.items()})
        skipped += [f'prior: {name}' for name in prior if name not in fitting]
    if memory_bank is not None:
        converted['backbone.memory_bank'] = _checked_bank(memory_bank, expected['backbone.norm.weight'][0])
    missed = [name for name in expected if name not in converted]
    return Conversion(layout.kind, layout.config, converted, list(used), skipped, missed)


def _expected_shapes(layout: Layout, state: Mapping[str, Tensor]) -> dict[str, torch.Size]:
    """Names and shapes of the tensors of the model that such a file is for."""
    init_default_scope('point_peft')
    from ..release import ReleasePointPEFT  # noqa: F401  registers the release for its layout

    with torch.device('meta'):
        model: nn.Module = MODELS.build(layout.model(state))
    return {name: value.shape for name, value in model.state_dict().items()}


def _rename(name: str, renames: tuple[tuple[str, str], ...]) -> str:
    old, new = next((old, new) for old, new in renames if name.startswith(old))
    return new + name[len(old) :]


def _checked_bank(memory_bank: Tensor, dim: int) -> Tensor:
    if memory_bank.dim() != 2 or len(memory_bank) != dim:
        raise CheckpointError(
            f'the memory bank has shape {tuple(memory_bank.shape)}, but this checkpoint needs ({dim}, N); '
            'give the bank published with it.'
        )
    return memory_bank
