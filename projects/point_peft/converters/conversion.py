"""Conversion of published checkpoints to this project's names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from ..io.errors import CheckpointError
from ..methods.substitution import COPY
from ..registry import MODELS
from .layout import Layout
from .layouts import LAYOUTS
from .published import PublishedFile

SIZE_NAMES = {384: 's', 768: 'b', 1024: 'l'}
DATASET_NAMES = {15: 'scanobjnn*', 40: 'modelnet40'}
PART_DATASET_NAMES = {50: 'shapenetpart'}
"""Of datasets in the names of configs, by the number of classes or parts."""


@dataclass
class Conversion:
    """Result of a conversion.

    Attributes:
        kind (str): Detected kind.
        naming (str): Whose naming the file follows: ``official`` or ``torch-pointcloud``.
        config (str): Configs that the file is for.
        state_dict (dict[str, Tensor]): Tensors under our names.
        used, skipped, missed (list[str]): Published names that were used, published names that were not, and names of
            ours that no file gave.
    """

    kind: str
    naming: str
    config: str
    state_dict: dict[str, Tensor]
    used: list[str]
    skipped: list[str]
    missed: list[str]


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
    file = PublishedFile.read(state, source)
    layout = find_layout(file)
    if not layout.prior and (prior is not None or memory_bank is not None):
        raise CheckpointError(
            f'{source} is "{layout.kind}", which has no prior and no memory bank; leave --prior and '
            '--memory-bank out.'
        )
    config = layout.model(file.tensors)
    shapes = _expected_shapes(config, layout)
    conversion = _in_shape(_convert(file, layout, config, shapes), shapes)
    if prior is not None:
        conversion = _with_prior(conversion, layout, PublishedFile.read(prior, 'prior'), shapes)
    if memory_bank is not None:
        bank = _checked_bank(memory_bank, shapes['backbone.norm.weight'][0])
        conversion.state_dict['backbone.memory_bank'] = bank
    return replace(conversion, missed=[name for name in shapes if name not in conversion.state_dict])


def _convert(
    file: PublishedFile, layout: Layout, config: Mapping[str, Any], shapes: Mapping[str, torch.Size]
) -> Conversion:
    """Rename the tensors of the file itself."""
    used = file.renamed(layout.renames, shapes)
    if not used:
        raise CheckpointError(
            f'no tensor of {file.source} fits "{layout.kind}" by name and shape; give the file as published.'
        )
    tensors = {ours: file.tensors[name] for name, ours in used.items()}
    return Conversion(
        layout.kind,
        file.naming,
        _config_for(layout, config),
        tensors | _copies(tensors, shapes),
        used=[file.names[name] for name in used],
        skipped=[published for name, published in file.names.items() if name not in used],
        missed=[],
    )


def find_layout(file: PublishedFile) -> Layout:
    """The layout that a file follows.

    Raises:
        CheckpointError: If it follows none, or has tensors of several.
    """
    found = [layout for layout in LAYOUTS if layout.fits(file.tensors)]
    if not found:
        raise CheckpointError(
            f'{file.source} matches no known layout ({", ".join(layout.kind for layout in LAYOUTS)}); its '
            f'tensors start with {sorted(file.names.values())[:3]}; give the file as published.'
        )
    if len(found) > 1:
        raise CheckpointError(
            f'{file.source} has tensors of several kinds ({", ".join(layout.kind for layout in found)}); give one '
            'file as published.'
        )
    return found[0]


def _copies(tensors: Mapping[str, Tensor], shapes: Mapping[str, torch.Size]) -> dict[str, Tensor]:
    """Parameters that were trained in place, once more in the place of their pre-trained values.

    Files do not have these, which only the detached backbone and its descriptor would use.
    """
    start = 'backbone.backbone.'
    names = {name.removeprefix(start).replace('.', '_'): name for name in tensors if name.startswith(start)}
    copies = {f'backbone.{COPY}{flat}': name for flat, name in names.items()}
    return {copy: tensors[name].clone() for copy, name in copies.items() if copy in shapes}


def _in_shape(conversion: Conversion, shapes: Mapping[str, torch.Size]) -> Conversion:
    """The tensors in the shapes of ours: 1x1 convolutions may be linear layers here."""
    state = conversion.state_dict
    others = {name: value.view(shapes[name]) for name, value in state.items() if value.shape != shapes[name]}
    return replace(conversion, state_dict={**state, **others})


def _with_prior(
    conversion: Conversion, layout: Layout, prior: PublishedFile, shapes: Mapping[str, torch.Size]
) -> Conversion:
    """Add the tensors of the frozen prior."""
    used = prior.renamed(layout.prior_renames, shapes)
    if not used:
        raise CheckpointError(
            f'no tensor of the file given with --prior fits the prior of "{layout.kind}"; give the file '
            f'"{layout.prior}".'
        )
    given = {ours: prior.tensors[name] for name, ours in used.items()}
    skipped = [f'prior: {published}' for name, published in prior.names.items() if name not in used]
    return replace(
        conversion,
        state_dict={**conversion.state_dict, **given},
        skipped=[*conversion.skipped, *skipped],
    )


def _expected_shapes(config: Mapping[str, Any], layout: Layout) -> dict[str, torch.Size]:
    """Names and shapes of the tensors of the model that such a file is for."""
    init_default_scope('point_peft')
    from .. import release  # noqa: F401  registers the releases for their layouts

    with torch.device('meta'):
        model: nn.Module = MODELS.build(config)
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    return (
        shapes if layout.has_head else {n: shape for n, shape in shapes.items() if not n.startswith('head.')}
    )


def _config_for(layout: Layout, config: Mapping[str, Any]) -> str:
    """Configs that the file is for, as far as its sizes tell."""
    dim, head = config.get('backbone', {}).get('embed_dim'), config.get('head', {})
    if 'parts_per_category' in head:
        dataset = PART_DATASET_NAMES.get(sum(head['parts_per_category']), '*_part')
    else:
        dataset = DATASET_NAMES.get(head.get('num_classes'), '*')
    return layout.config.format(size=SIZE_NAMES.get(dim, '*'), dataset=dataset)


def _checked_bank(memory_bank: Tensor, dim: int) -> Tensor:
    if memory_bank.dim() != 2 or len(memory_bank) != dim:
        raise CheckpointError(
            f'the memory bank has shape {tuple(memory_bank.shape)}, but this checkpoint needs ({dim}, N); '
            'give the bank published with it.'
        )
    return memory_bank
