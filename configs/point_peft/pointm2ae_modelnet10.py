"""Point-PEFT on Point-M2AE, ModelNet10, 1024 points."""
_base_ = [
    '../_base_/models/pointm2ae_modelnet.py', '../_base_/tuners/point_peft_m2ae.py', '../_base_/datasets/modelnet10.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(backbone=dict(stage_norms=True), tuner={{_base_.tuner}}, head=dict(num_classes={{_base_.num_classes}}))
