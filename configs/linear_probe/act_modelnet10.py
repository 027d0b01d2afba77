"""Linear probing of ACT, ModelNet10, 1024 points."""
_base_ = [
    '../_base_/models/act.py', '../_base_/tuners/linear_probe.py', '../_base_/datasets/modelnet10.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(backbone=dict(num_groups=64), tuner={{_base_.tuner}}, head=dict(pool=('max', 'mean'), hidden_dims=(), num_classes={{_base_.num_classes}}))
