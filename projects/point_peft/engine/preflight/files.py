"""Looking for the packages and files of a run before anything heavy is built."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ...io.errors import ConfigError, MissingFileError
from ...io.required import NO_DOWNLOAD_CONFIG
from ...io.restricted_pickle import read_pickle
from ...io.shipped import find_weights
from ...io.text import printable
from ...registry import DATASETS
from ...registry.built_from import class_of
from ..config import DATALOADERS, walk_dicts
from ..config.tiers import check_tiers
from ..config.walking import option_key

LISTED_FILES = ('ann_file', 'ann_files', 'scene_idxs')
"""Arguments of mmdet3d's datasets that name files in the data root."""


def check_files(cfg: Config, dataloaders: Sequence[str] = DATALOADERS, *, pretrained: bool = True) -> None:
    """Check that the packages, the data and the weights that a config names exist.

    Args:
        cfg (Config): The config.
        dataloaders (Sequence[str]): Data loaders that will be used.
        pretrained (bool): Whether the pre-trained weights will be needed.

    Raises:
        MissingFileError: Something is missing; says what, where to get it, and which config needs no
            download.
        MissingTierError: The config needs packages that are not installed; says how to install them.
        ConfigError: A section that the run needs is missing.
    """
    if cfg.get('model') is None:
        raise ConfigError(f'the config has no model; name its parts, as {NO_DOWNLOAD_CONFIG} does.')
    check_tiers(cfg)
    if pretrained:
        for place, node in walk_dicts(cfg.model, 'model'):
            _check_weights(node.get('checkpoint') if node.get('type') == 'Pretrained' else None, place)
    _check_weights(cfg.get('load_from'), 'load_from')
    check_data(cfg, dataloaders)


def check_data(cfg: Config, dataloaders: Sequence[str] = DATALOADERS) -> None:
    """Check that the data that a config names exist.

    Args:
        cfg (Config): The config.
        dataloaders (Sequence[str]): Data loaders that will be used.

    Raises:
        MissingFileError: Something is missing; says what, and where to get it.
        DatasetError: A list of scenes is damaged, or asks for code to be run.
    """
    for name in dataloaders:
        for place, node in walk_dicts(cfg.get(name) or {}, name):
            if 'data_root' in node:
                own = cfg.get('data_root') not in (None, node['data_root'])
                _check_data_root(node, place, f'{option_key(place)}.data_root' if own else 'data_root')
                _check_listed_files(node, place)


def _check_weights(path: Any, place: str) -> None:
    """Report a checkpoint that does not exist; one at an address is fetched."""
    if isinstance(path, str) and not find_weights(path).is_file():
        raise MissingFileError(
            f"checkpoint '{path}' ({place}) does not exist; see docs/model_zoo.md for where to get it, or "
            f'start with {NO_DOWNLOAD_CONFIG}, whose weights are shipped.'
        )


def _check_data_root(node: Mapping[str, Any], place: str, key: str) -> None:
    """Report a data directory that does not exist, unless the dataset makes it; ``key`` is where it can be set."""
    root = node['data_root']
    if not root or Path(root).exists():
        return
    cls = class_of(DATASETS, node.get('type'))
    if getattr(cls, 'writes_data_root', False):
        return
    # A dataset's module says where the data can be had.
    origin = getattr(sys.modules.get(getattr(cls, '__module__', ''), None), 'ORIGIN', None)
    source = (
        f'get it from {origin} (see docs/datasets.md)'
        if origin
        else 'see docs/datasets.md for where to get it'
    )
    raise MissingFileError(
        f"data of {node.get('type', 'the dataset')} not found: '{printable(root)}' ({place}) does not exist; {source}, "
        f'set --cfg-options {key}=... to where you put it, or start with {NO_DOWNLOAD_CONFIG}, which '
        'needs no download.'
    )


def _check_listed_files(node: Mapping[str, Any], place: str) -> None:
    """Report a file that a dataset of mmdet3d needs beside its clouds, and that is not there or could run code."""
    for name in LISTED_FILES:
        value = node.get(name)
        files = value if isinstance(value, (list, tuple)) else [value]
        for path in (Path(node['data_root'] or '') / file for file in files if isinstance(file, str)):
            if not path.is_file():
                raise MissingFileError(
                    f"'{path}' ({place}.{name}) does not exist; mmdet3d's preparation of the data writes it, see "
                    'docs/datasets.md.'
                )
            if path.suffix == '.pkl':  # mmdet3d would unpickle whatever is in it
                read_pickle(path, origin="mmdet3d's preparation of the data (docs/datasets.md)")
