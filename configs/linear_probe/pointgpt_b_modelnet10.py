"""Linear probing of PointGPT-B, ModelNet10, 1024 points."""
_base_ = [
    '../_base_/models/pointgpt_b.py', '../_base_/tuners/linear_probe.py', '../_base_/datasets/modelnet10.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(
    backbone=dict(num_groups=64), tuner={{_base_.tuner}}, auxiliary_head=None,
    head=dict(pool=('max', 'mean'), hidden_dims=(), token_norm=False, num_classes={{_base_.num_classes}}))
