"""VPT-deep on ReCon, parts of the built-in shapes."""
_base_ = [
    '../_base_/models/recon_part.py', '../_base_/tuners/vpt_deep.py', '../_base_/datasets/shapes_part.py',
    '../_base_/schedules/part_seg_300e.py', '../_base_/part_seg_runtime.py'
]
model = dict(tuner={{_base_.tuner}}, head=dict(parts_per_category={{_base_.parts_per_category}}))
train_dataloader = dict(batch_size=16)
