"""Published files of DAPT on Point-MAE (LMD0311/DAPT)."""

from __future__ import annotations

import re
from typing import Any

from .heads import classifier
from .layout import IN_TUNED_CLASSIFIER, OTHER_BACKBONES, PREFIX_TUNING, Layout
from .sizes import State, needed, plain

LAYERS, ADAPTERS = 'backbone.methods.0.', 'backbone.methods.1.'
"""Layers and norms are scaled and shifted by a method of their own."""

DEPTH = 12
"""Blocks of all published networks."""

PLACES = ('.1', 'attn.1', 'attn.2', '.2', 'mlp.1', 'mlp.2')
"""Published places of a block's scales and shifts, in our order: first norm, qkv, proj, second norm, fc1, fc2."""

KINDS = {'gamma': 'scale', 'beta': 'shift'}
KIND = r'tfts_(gamma|beta)'
BLOCK = r'^blocks\.blocks\.(\d+)\.'


def _of_layer(match: re.Match[str]) -> str:
    """Name of the scale or shift of a layer or norm in a block."""
    block, module, kind, number = match.groups(default='')
    return f'{LAYERS}{KINDS[kind]}s.{PLACES.index(f"{module}.{number}") * DEPTH + int(block)}'


def _of_prompt(match: re.Match[str]) -> str:
    """Name of the scale or shift of a block's prompt."""
    return f'{ADAPTERS}{KINDS[match[2]]}s.{match[1]}'


def _of_embedding(match: re.Match[str]) -> str:
    """Name of the scale or shift of embedded groups."""
    return f'{ADAPTERS}embedding_{KINDS[match[1]]}'


def _of_final_norm(match: re.Match[str]) -> str:
    """Name of the scale or shift behind the final norm."""
    return f'{LAYERS}{KINDS[match[1]]}s.{len(PLACES) * DEPTH}'


def _classifier(state: State) -> dict[str, Any]:
    """A classifier with adapters of the width in the file."""
    width = len(needed(state, 'blocks.blocks.0.Adapter_MLP.down_proj.bias'))
    methods = [{'type': 'SSF', 'final_norm': True}, {'type': 'DAPT', 'hidden_dim': width}, PREFIX_TUNING]
    return classifier(plain(state), state, methods=methods)


LAYOUTS = (
    Layout(
        'DAPT on Point-MAE, fine-tuned',
        'configs/dapt/release/pointmae_scanobjnn.py',
        marker=r'blocks\.blocks\.0\.Adapter_MLP\.scale\.weight',
        foreign=OTHER_BACKBONES,
        model=_classifier,
        renames=(
            (rf'{BLOCK}{KIND}_3$', _of_prompt),
            (rf'{BLOCK}(?:(attn|mlp)\.)?{KIND}_([12])$', _of_layer),
            (rf'^{KIND}_1$', _of_embedding),
            (rf'^{KIND}_2$', _of_final_norm),
            (rf'{BLOCK}Adapter_MLP\.', rf'{ADAPTERS}adapters.\1.'),
            (r'\.adapter_layer_norm_before\.', '.norm.'),
            (r'\.(down|up)_proj\.', r'.\1.'),
            *IN_TUNED_CLASSIFIER,
        ),
    ),
)
