"""Point-PEFT on the mini Point-MAE, ModelNet10, 1024 points."""
_base_ = [
    '../_base_/models/pointmae_mini.py', '../_base_/tuners/point_peft.py', '../_base_/datasets/modelnet10.py',
    '../_base_/schedules/adamw_mini.py', '../_base_/default_runtime.py'
]
model = dict(tuner={{_base_.tuner}}, head=dict(num_classes={{_base_.num_classes}}))
