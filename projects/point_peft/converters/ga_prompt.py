"""Published files of GAPrompt."""

from __future__ import annotations

from .heads import classifier
from .layout import IN_TUNED_CLASSIFIER, Layout
from .sizes import needed, plain

METHOD = 'backbone.methods.0.'
TOP_DIM = 8
"""Channels of the groups that the shape is made of."""

BLOCK = r'^blocks\.blocks\.(\d+)\.'

LAYOUTS = (
    Layout(
        'GAPrompt on Point-MAE, fine-tuned',
        'configs/gaprompt/release/pointmae_scanobjnn.py',
        marker=r'shift_net\.mlp_position\.0\.weight',
        model=lambda state: classifier(
            plain(state)
            | {'num_groups': 2 * (needed(state, 'shape_feature_mlp.0.weight').shape[1] // TOP_DIM)},
            state,
            methods=[
                {'type': 'ReleaseGAPrompt'},
                {'type': 'SelectiveTuning', 'biases': False, 'final_norm': False},
            ],
        ),
        renames=(
            (r'^prompt_cor$', f'{METHOD}places'),
            (r'^point_prompt\.points$', f'{METHOD}points'),
            (r'^shift_net\.', f'{METHOD}shift_net.'),
            (r'^shape_feature_mlp\.0\.', f'{METHOD}shape_mlp.0.'),
            (r'^shape_feature_mlp\.3\.', f'{METHOD}shape_outs.0.'),
            (rf'{BLOCK}prompt_embeddings$', rf'{METHOD}embeddings.\1'),
            (rf'{BLOCK}out_transform\.0\.', rf'{METHOD}pool_norms.\1.'),
            (rf'{BLOCK}adapter\.layer_norm\.', rf'{METHOD}adapters.\1.norm.'),
            (rf'{BLOCK}adapter\.ln1\.', rf'{METHOD}adapters.\1.down.'),
            (rf'{BLOCK}adapter\.ln2\.', rf'{METHOD}adapters.\1.up.'),
            (rf'{BLOCK}adapter\.scale\.', rf'{METHOD}unused_scales.\1.'),
            *IN_TUNED_CLASSIFIER,
        ),
    ),
)
