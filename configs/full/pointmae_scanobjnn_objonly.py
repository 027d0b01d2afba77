"""Full fine-tuning of Point-MAE, ScanObjectNN OBJ_ONLY."""
_base_ = [
    '../_base_/models/pointmae.py', '../_base_/datasets/scanobjnn_objonly.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(head=dict(num_classes={{_base_.num_classes}}))
