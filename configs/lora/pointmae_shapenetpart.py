"""LoRA on Point-MAE, ShapeNetPart."""
_base_ = [
    '../_base_/models/pointmae_part.py', '../_base_/tuners/lora.py', '../_base_/datasets/shapenetpart.py',
    '../_base_/schedules/part_seg_300e.py', '../_base_/part_seg_runtime.py'
]
model = dict(tuner={{_base_.tuner}}, head=dict(parts_per_category={{_base_.parts_per_category}}))
