"""Linear probing of the mini Point-MAE, the built-in shapes."""
_base_ = [
    '../_base_/models/pointmae_mini.py', '../_base_/tuners/linear_probe.py', '../_base_/datasets/shapes.py',
    '../_base_/schedules/adamw_mini.py', '../_base_/default_runtime.py'
]
model = dict(tuner={{_base_.tuner}}, head=dict(pool=('max', 'mean'), hidden_dims=(), num_classes={{_base_.num_classes}}))
