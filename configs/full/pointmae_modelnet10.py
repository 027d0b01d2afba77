"""Full fine-tuning of Point-MAE, ModelNet10, 1024 points."""
_base_ = [
    '../_base_/models/pointmae.py', '../_base_/datasets/modelnet10.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(backbone=dict(num_groups=64), head=dict(num_classes={{_base_.num_classes}}))
