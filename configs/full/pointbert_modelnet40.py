"""Full fine-tuning of Point-BERT, ModelNet40, 1024 points."""
_base_ = [
    '../_base_/models/pointbert.py', '../_base_/datasets/modelnet40.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(head=dict(num_classes={{_base_.num_classes}}))
