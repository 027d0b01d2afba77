"""Linear probing of PointGPT-S, few-shot on ModelNet40, published folds."""
_base_ = [
    '../_base_/models/pointgpt_s.py', '../_base_/tuners/linear_probe.py', '../_base_/datasets/fewshot_modelnet40.py',
    '../_base_/schedules/fewshot_150e.py', '../_base_/few_shot_runtime.py'
]
model = dict(
    backbone=dict(num_groups=64), tuner={{_base_.tuner}}, auxiliary_head=None,
    head=dict(pool=('max', 'mean'), hidden_dims=(), token_norm=False, num_classes={{_base_.num_classes}}))
