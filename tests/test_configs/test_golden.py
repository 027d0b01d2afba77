"""Every config is what it was when it was a file of its own, but for the changes that are listed here."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from golden_configs import FILE, NAMES, frozen
from mmengine.registry import init_default_scope

from point_peft.backbones import decoder_widths
from point_peft.engine.config import read_config
from point_peft.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'

DETECTORS = ('mmdet3d.VoteNet', 'mmdet3d.GroupFree3DNet', 'point_peft.Detr3D')

MATERIAL = {'backbone'}
"""Section that backbones have for others to refer to; only detection had it before."""

DECODED = {'hidden_layers', 'stages', 'seed_channels'}
"""Sections about the blocks that decoders read and their widths, which the backbone itself says now."""

REWRITTEN = {'pretrain/pointmae_mini'}
"""Configs that say something else on purpose: this one is the recipe of the shipped weights."""

DECODED_BY_HEAD = ('hidden_layers', 'stages', 'stage_dims')
"""The same in a head."""


def plain(node: Any) -> Any:
    """Lists in place of tuples, as JSON has them."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    return [plain(value) for value in node] if isinstance(node, (list, tuple)) else node


def as_wanted(name: str, before: dict[str, Any]) -> dict[str, Any]:
    """What has been changed since, on purpose."""
    before = in_words_of_today(copy.deepcopy(before))
    before['default_hooks']['evaluation_cache'] = dict(type='EvaluationCacheHook')
    if before['model'].get('auxiliary_head', True) is None:
        del before['model']['auxiliary_head']  # not mentioned where there is none
    asked_of_the_backbone(before)
    if before['model']['type'] in DETECTORS and 'pointgpt_s' in name:
        for backbone in (before['backbone'], before['model']['backbone']['backbone']):
            backbone['hidden_norm'] = True  # of its two last norms, the one that detectors read is trained
    if 'pointmae_mini' in name:
        widen(before)
    return before


def asked_of_the_backbone(before: dict[str, Any]) -> None:
    """Heads, the encoder and its neck, which stood beside it, ask the backbone which blocks they get, how wide."""
    for section in DECODED & set(before):
        del before[section]
    model = before['model']
    head = model.get('head', {})
    for key in (*DECODED_BY_HEAD, *(['hidden_dims'] if head.get('type') == 'LinearPartSegHead' else [])):
        head.pop(key, None)
    if model['type'] in DETECTORS:
        del model['backbone']['stages'], model['neck']['in_channels']
        model['backbone']['neck'] = {**model.pop('neck'), 'type': 'SeedNeck'}


def in_words_of_today(node: Any) -> Any:
    """The wrapper's section was called tuner, its methods hooks, and the hook that fits them after the memory bank."""
    if isinstance(node, dict):
        renames = {'tuner': 'peft', 'memory_bank': 'fit'}
        if node.get('type') == 'PEFTBackbone':
            renames['hooks'] = 'methods'
        if node.get('type') == 'MemoryBankHook':
            return dict(type='FitHook')
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


@pytest.mark.parametrize('kind', sorted({name.rpartition('/')[0] for name in NAMES}))
def test_configs_are_what_they_were(kind: str) -> None:
    """All sections, those included that only other sections read."""
    for name in (name for name in NAMES if name.rpartition('/')[0] == kind and name not in REWRITTEN):
        before, now = frozen(name), plain(read_config(name)[0].to_dict())
        for section in MATERIAL - set(before):
            now.pop(section, None)
        assert now == as_wanted(name, before), name


def test_decoded_blocks_are_what_they_were() -> None:
    """The backbones say themselves which blocks decoders get and how wide these are, where configs had said it."""
    init_default_scope('point_peft')
    found, seen = set(), []
    for name in NAMES:
        model = frozen(name)['model']
        reader = model['backbone'] if 'neck' in model else model.get('head', {})
        stages = reader.get('stages') or [reader['hidden_layers']] if DECODED & set(reader) else None
        if stages is None:
            continue
        backbone = model['backbone'] if 'head' in model else model['backbone']['backbone']
        widths = model.get('neck', {}).get('in_channels') or reader.get('stage_dims')
        if backbone['type'] == 'PointM2AE':
            stages = [[layer] for layers in stages for layer in layers]
        if (backbone, stages, widths) in seen:
            continue
        seen.append((backbone, stages, widths))
        with torch.device('meta'):
            network = MODELS.build(backbone)
        assert [list(layers) for layers in network.decoder_layers] == stages, name
        assert widths is None or decoder_widths(network) == widths, name
        found.add((backbone['type'], backbone.get('depth')))
    assert len(found) == 7


def test_few_files() -> None:
    """A config that is its three parts and nothing else needs none."""
    assert len(NAMES) == 532 and FILE.stat().st_size < 200_000
    files = [path for path in CONFIGS.rglob('*') if path.is_file() and '__pycache__' not in path.parts]
    assert len(files) <= 160
