"""Full fine-tuning of PointGPT-L, ScanObjectNN PB_T50_RS."""
_base_ = [
    '../_base_/models/pointgpt_l.py', '../_base_/datasets/scanobjnn_hardest.py',
    '../_base_/schedules/pointgpt_l_50e.py', '../_base_/default_runtime.py'
]
model = dict(head=dict(num_classes={{_base_.num_classes}}))
train_dataloader = dict(batch_size=64)
