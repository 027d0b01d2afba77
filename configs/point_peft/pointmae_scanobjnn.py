"""Point-PEFT on Point-MAE, ScanObjectNN PB_T50_RS."""
_base_ = [
    '../_base_/models/pointmae.py', '../_base_/tuners/point_peft.py', '../_base_/datasets/scanobjnn_hardest.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(tuner={{_base_.tuner}}, head=dict(num_classes={{_base_.num_classes}}))
