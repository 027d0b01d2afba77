"""Point-PEFT on ReCon, ModelNet10, 1024 points."""
_base_ = [
    '../_base_/models/recon.py', '../_base_/tuners/point_peft.py', '../_base_/datasets/modelnet10.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(backbone=dict(num_groups=64), tuner={{_base_.tuner}}, head=dict(num_classes={{_base_.num_classes}}))
