"""Point-PEFT on PointGPT-B, the built-in shapes."""
_base_ = [
    '../_base_/models/pointgpt_b.py', '../_base_/tuners/point_peft.py', '../_base_/datasets/shapes.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(backbone=dict(num_groups=64), tuner={{_base_.tuner}}, auxiliary_head=None, head=dict(num_classes={{_base_.num_classes}}))
