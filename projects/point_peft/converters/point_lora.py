"""Published files of PointLoRA."""

from __future__ import annotations

import re

from .heads import classifier
from .layout import IN_TUNED_CLASSIFIER, Layout
from .sizes import needed, plain

METHOD = 'backbone.methods.0.'


def _update(match: re.Match[str]) -> str:
    """Name of a tensor of the update of a layer; of every block first that of qkv, then that of proj."""
    number = 2 * int(match['block']) + (match['layer'] == 'proj')
    name = {'lora_A': '0.weight', 'lora_B': '1.weight', 'weight': 'branch_scale'}[match['part']]
    return f'{METHOD}updates.{number}.{name}'


LAYOUTS = (
    Layout(
        'PointLoRA on Point-MAE, fine-tuned',
        'configs/pointlora/pointmae_{dataset}.py',
        marker=r'lora_mask_predictor\.fc1\.weight',
        model=lambda state: classifier(
            plain(state),
            state,
            methods=[
                {'type': 'PointLoRA', 'rank': len(needed(state, 'blocks.blocks.0.attn.qkv.lora_A'))},
                {
                    'type': 'SelectiveTuning',
                    'biases': False,
                    'final_norm': False,
                    'embedding': True,
                    'positions': True,
                },
            ],
        ),
        renames=(
            (r'^lora_mask_predictor\.fc1\.', f'{METHOD}predictor.0.'),
            (r'^lora_mask_predictor\.fc2\.', f'{METHOD}predictor.2.'),
            (r'^blocks\.prompt_mlp\.', f'{METHOD}patch_mlps.0.'),
            (r'^blocks\.prompt_pos_mlp\.', f'{METHOD}selected_mlps.0.'),
            (r'^blocks\.prompt_(qkv|proj)_mlp\.', rf'{METHOD}branches.attn_\1_0.'),
            (
                r'^blocks\.blocks\.(?P<block>\d+)\.attn\.(?P<layer>qkv|proj)\.(?P<part>lora_[AB]|weight)$',
                _update,
            ),
            (r'(\.attn\.(?:qkv|proj)\.)linear\.', r'\1'),
            *IN_TUNED_CLASSIFIER,
        ),
    ),
)
