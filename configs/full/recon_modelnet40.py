"""Full fine-tuning of ReCon, ModelNet40, 1024 points."""
_base_ = [
    '../_base_/models/recon.py', '../_base_/datasets/modelnet40.py',
    '../_base_/schedules/recon_300e_modelnet.py', '../_base_/default_runtime.py'
]
model = dict(backbone=dict(num_groups=64), head=dict(num_classes={{_base_.num_classes}}))
