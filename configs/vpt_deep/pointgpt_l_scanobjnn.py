"""VPT-deep on PointGPT-L, ScanObjectNN PB_T50_RS."""
_base_ = [
    '../_base_/models/pointgpt_l.py', '../_base_/tuners/vpt_deep.py', '../_base_/datasets/scanobjnn_hardest.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(tuner={{_base_.tuner}}, auxiliary_head=None, head=dict(num_classes={{_base_.num_classes}}))
