"""Point-PEFT on PointGPT-S, few-shot on ModelNet40, published folds."""
_base_ = [
    '../_base_/models/pointgpt_s.py', '../_base_/tuners/point_peft.py', '../_base_/datasets/fewshot_modelnet40.py',
    '../_base_/schedules/fewshot_150e.py', '../_base_/few_shot_runtime.py'
]
model = dict(
    backbone=dict(num_groups=64), tuner={{_base_.tuner}}, auxiliary_head=None,
    head=dict(num_classes={{_base_.num_classes}}))
