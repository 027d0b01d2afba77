"""Point-PEFT on ACT, few-shot on ModelNet40, published folds."""
_base_ = [
    '../_base_/models/act.py', '../_base_/tuners/point_peft.py', '../_base_/datasets/fewshot_modelnet40.py',
    '../_base_/schedules/fewshot_150e.py', '../_base_/few_shot_runtime.py'
]
model = dict(backbone=dict(num_groups=64), tuner={{_base_.tuner}}, head=dict(num_classes={{_base_.num_classes}}))
