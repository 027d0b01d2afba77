"""Point-PEFT on Point-MAE, few-shot on ModelNet10."""
_base_ = [
    '../_base_/models/pointmae.py', '../_base_/tuners/point_peft.py', '../_base_/datasets/fewshot_modelnet10.py',
    '../_base_/schedules/fewshot_150e.py', '../_base_/few_shot_runtime.py'
]
model = dict(backbone=dict(num_groups=64), tuner={{_base_.tuner}}, head=dict(num_classes={{_base_.num_classes}}))
