"""Point-PEFT on Point-BERT, the built-in shapes."""
_base_ = [
    '../_base_/models/pointbert.py', '../_base_/tuners/point_peft_pointbert.py', '../_base_/datasets/shapes.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(tuner={{_base_.tuner}}, head=dict(num_classes={{_base_.num_classes}}))
