"""Point-PEFT on the mini Point-MAE, the built-in shapes."""
_base_ = [
    '../_base_/models/pointmae_mini.py', '../_base_/tuners/point_peft.py', '../_base_/datasets/shapes.py',
    '../_base_/schedules/adamw_mini.py', '../_base_/default_runtime.py'
]
model = dict(tuner={{_base_.tuner}}, head=dict(num_classes={{_base_.num_classes}}))
