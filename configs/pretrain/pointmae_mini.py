"""The mini backbone: classes, parts and words at once, on a part of each cloud's groups (docs/pretraining.md)."""
_base_ = [
    '../_base_/datasets/variety.py', '../_base_/schedules/pretrain_300e.py', '../_base_/default_runtime.py',
    '../_base_/probe_shapes.py'
]
model = dict(
    type='JointPretrain',
    encoder=dict(
        type='PointMAE',
        class_token=False,
        embed_dim=192,
        depth=4,
        num_heads=6,
        num_groups=64,
        group_size=16,
        patch_dims=(48, 96, 192),
        drop_path_rate=0.0),
    objectives=dict(
        labels=dict(type='LabelObjective', num_classes={{_base_.num_classes}}),
        words=dict(type='WordObjective', num_words={{_base_.num_words}}, weight=0.5),
        parts=dict(type='PartObjective', num_parts={{_base_.num_parts}}, weight=0.5)),
    keep=(0.25, 0.5))
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
# constant until the last quarter, so that a longer training needs no other beginning
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, begin=0, end=0.25, convert_to_iter_based=True),
    dict(type='LinearLR', start_factor=1.0, end_factor=0.01, begin=28, end=36, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=36)
default_hooks = dict(protocol=None, fit=None, delta=dict(full=True), checkpoint=dict(save_best=None))
