"""Full fine-tuning of PointGPT-B, ModelNet40, 1024 points."""
_base_ = [
    '../_base_/models/pointgpt_b.py', '../_base_/datasets/modelnet40.py',
    '../_base_/schedules/pointgpt_50e_modelnet.py', '../_base_/default_runtime.py'
]
model = dict(backbone=dict(num_groups=64), head=dict(num_classes={{_base_.num_classes}}))
train_dataloader = dict(batch_size=128)
