"""Linear probing of Point-M2AE, the built-in shapes."""
_base_ = [
    '../_base_/models/pointm2ae_modelnet.py', '../_base_/tuners/linear_probe.py', '../_base_/datasets/shapes.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(
    backbone=dict(stage_norms=True), tuner={{_base_.tuner}},
    head=dict(pool=('max', 'mean'), hidden_dims=(), num_classes={{_base_.num_classes}}))
