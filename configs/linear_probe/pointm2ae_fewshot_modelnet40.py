"""Linear probing of Point-M2AE, few-shot on ModelNet40, published folds."""
_base_ = [
    '../_base_/models/pointm2ae_modelnet.py', '../_base_/tuners/linear_probe.py',
    '../_base_/datasets/fewshot_modelnet40.py', '../_base_/schedules/fewshot_150e.py', '../_base_/few_shot_runtime.py'
]
model = dict(
    backbone=dict(stage_norms=True), tuner={{_base_.tuner}},
    head=dict(pool=('max', 'mean'), hidden_dims=(), num_classes={{_base_.num_classes}}))
