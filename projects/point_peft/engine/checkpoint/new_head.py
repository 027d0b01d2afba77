"""Starting from a checkpoint with a head of one's own."""

from __future__ import annotations

from typing import Any

from mmengine.logging import print_log
from torch import nn

from ...io.weights.structure_rules import OWN_KEY
from ...registry.network import network_of, saved_network
from ...registry.wrappers import unwrap

HEADS = ('head', 'bbox_head')
"""Names of heads: of this project's models, and of mmdet3d's detectors."""

OF_HEAD = (*HEADS, 'num_classes')
"""Arguments of a model that describe its head."""


def keep_own_head(model: nn.Module, checkpoint: dict[str, Any], source: str) -> None:
    """Put the head that a model has in the place of the one in a checkpoint, as if it had been saved with it.

    Classes and parts belong to the head, so their names go too.

    Args:
        model (nn.Module): The model that is going to be trained.
        checkpoint (dict): Content of a checkpoint, with plain values restored; changed in place.
        source (str): Its name.
    """
    prefixes = tuple(f'{name}.' for name in HEADS)
    own = {name: value for name, value in unwrap(model).state_dict().items() if name.startswith(prefixes)}
    rest = {
        name: value
        for name, value in checkpoint['state_dict'].items()
        if not name.removeprefix('module.').startswith(prefixes)
    }
    checkpoint['state_dict'] = {**rest, **own}
    meta = checkpoint.get('meta') or {}
    network = saved_network(meta)
    if network is not None:
        wanted = network_of(model) or {}
        kept = {key: value for key, value in network.items() if key not in OF_HEAD}
        added = {key: value for key, value in wanted.items() if key in OF_HEAD}
        meta.setdefault(OWN_KEY, {})['network'] = {**kept, **added}
    meta.pop('dataset_meta', None)
    print_log(f'the head of {source} is not used: the model trains a new one', logger='current')
