"""Full fine-tuning of PointGPT-S, ShapeNetPart."""
_base_ = [
    '../_base_/models/pointgpt_s_part.py', '../_base_/datasets/shapenetpart.py',
    '../_base_/schedules/pointgpt_part_seg_300e.py', '../_base_/part_seg_runtime.py'
]
model = dict(head=dict(parts_per_category={{_base_.parts_per_category}}))
train_dataloader = dict(batch_size=32)
