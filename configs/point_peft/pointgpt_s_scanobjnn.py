"""Point-PEFT on PointGPT-S, ScanObjectNN PB_T50_RS."""
_base_ = [
    '../_base_/models/pointgpt_s.py', '../_base_/tuners/point_peft.py', '../_base_/datasets/scanobjnn_hardest.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(tuner={{_base_.tuner}}, auxiliary_head=None, head=dict(num_classes={{_base_.num_classes}}))
