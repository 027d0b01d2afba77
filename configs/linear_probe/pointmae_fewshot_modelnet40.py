"""Linear probing of Point-MAE, few-shot on ModelNet40, published folds."""
_base_ = [
    '../_base_/models/pointmae.py', '../_base_/tuners/linear_probe.py', '../_base_/datasets/fewshot_modelnet40.py',
    '../_base_/schedules/fewshot_150e.py', '../_base_/few_shot_runtime.py'
]
model = dict(
    backbone=dict(num_groups=64), tuner={{_base_.tuner}},
    head=dict(pool=('max', 'mean'), hidden_dims=(), num_classes={{_base_.num_classes}}))
