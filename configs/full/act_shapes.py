"""Full fine-tuning of ACT, the built-in shapes."""
_base_ = [
    '../_base_/models/act.py', '../_base_/datasets/shapes.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(backbone=dict(num_groups=64), head=dict(num_classes={{_base_.num_classes}}))
