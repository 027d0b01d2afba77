"""Full fine-tuning of Point-M2AE, ScanObjectNN PB_T50_RS."""
_base_ = [
    '../_base_/models/pointm2ae.py', '../_base_/datasets/scanobjnn_hardest.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(head=dict(num_classes={{_base_.num_classes}}))
