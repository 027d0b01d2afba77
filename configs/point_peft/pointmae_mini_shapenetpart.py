"""Point-PEFT on the mini Point-MAE, ShapeNetPart."""
_base_ = [
    '../_base_/models/pointmae_mini_part.py', '../_base_/tuners/point_peft.py', '../_base_/datasets/shapenetpart.py',
    '../_base_/schedules/adamw_mini.py', '../_base_/part_seg_runtime.py'
]
model = dict(tuner={{_base_.tuner}}, head=dict(parts_per_category={{_base_.parts_per_category}}))
auto_scale_lr = dict(base_batch_size=16)
