"""LoRA on Point-BERT, ScanObjectNN PB_T50_RS, 1024 points."""
_base_ = [
    '../_base_/models/pointbert.py', '../_base_/tuners/lora.py', '../_base_/datasets/scanobjnn_hardest.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(tuner={{_base_.tuner}}, head=dict(num_classes={{_base_.num_classes}}))
data_preprocessor = dict(num_points=1024, num_candidates=1200)
