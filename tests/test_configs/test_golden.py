"""Every config is what it was when it was a file of its own, but for the changes that are listed here."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from golden_configs import FILE, NAMES, frozen

from point_peft.engine.config import read_config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'

MATERIAL = {'backbone', 'hidden_layers', 'stages', 'seed_channels'}
"""Sections that backbones have for others to refer to; only detection had them before."""


SEEDS = ('seed_channels', 'in_channels')
"""Where three blocks' width stands."""


def plain(node: Any) -> Any:
    """Lists in place of tuples, as JSON has them."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    return [plain(value) for value in node] if isinstance(node, (list, tuple)) else node


def as_wanted(name: str, before: dict[str, Any]) -> dict[str, Any]:
    """What has been changed since, on purpose."""
    before = in_words_of_today(copy.deepcopy(before))
    if before['model'].get('auxiliary_head', True) is None:
        del before['model']['auxiliary_head']  # not mentioned where there is none
    if name.startswith('linear_probe/'):  # what the heads take by default is said
        head = before['model'].get('head', {})
        if head.get('type') == 'LinearSceneSegHead':
            head.setdefault('stages', [[3, 7, 11]])
        if head.get('type') == 'LinearPartSegHead':
            head.setdefault('hidden_layers', [3, 7, 11])
    if before['model'].get('neck', {}).get('type') == 'point_peft.SeedNeck' and 'pointgpt_s' in name:
        for backbone in (before['backbone'], before['model']['backbone']['backbone']):
            backbone['hidden_norm'] = True  # of its two last norms, the one that detectors read is trained
    if 'pointmae_mini' in name:
        widen(before)
    if name == 'pretrain/pointmae_mini':  # as long as the run that made the shipped weights
        before['train_cfg']['max_epochs'] = 20
        before['param_scheduler'][1].update(begin=15, end=20)
    return before


def in_words_of_today(node: Any) -> Any:
    """The wrapper's section was called tuner, and its methods hooks."""
    if isinstance(node, dict):
        renames = {'tuner': 'peft', **({'hooks': 'methods'} if node.get('type') == 'PEFTBackbone' else {})}
        return {renames.get(key, key): in_words_of_today(value) for key, value in node.items()}
    return [in_words_of_today(value) for value in node] if isinstance(node, list) else node


def widen(node: Any) -> None:
    """The mini backbone has become wider and got other weights."""
    for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        widen(value)
    if not isinstance(node, dict):
        return
    if node.get('embed_dim') == 128:
        node.update(embed_dim=192, num_heads=6, patch_dims=[48, 96, 192])
    if node.get('decoder_num_heads') == 4:
        node['decoder_num_heads'] = 6
    if node.get('checkpoint') == 'checkpoints/point_mae_mini_shapes.safetensors':
        node['checkpoint'] = 'checkpoints/pointmae_mini.safetensors'
    for key, value in node.items():
        if value == [384] and key in SEEDS:
            node[key] = [576]


@pytest.mark.parametrize('kind', sorted({name.rpartition('/')[0] for name in NAMES}))
def test_configs_are_what_they_were(kind: str) -> None:
    """All sections, those included that only other sections read."""
    for name in (name for name in NAMES if name.rpartition('/')[0] == kind):
        before, now = frozen(name), plain(read_config(name)[0].to_dict())
        for section in MATERIAL - set(before):
            now.pop(section, None)
        assert now == as_wanted(name, before), name


def test_few_files() -> None:
    """A config that is its three parts and nothing else needs none."""
    assert len(NAMES) == 532 and FILE.stat().st_size < 200_000
    files = [path for path in CONFIGS.rglob('*') if path.is_file() and '__pycache__' not in path.parts]
    assert len(files) <= 110
