"""Part segmentation as published for PointGPT-S: a longer warm-up."""
_base_ = 'part_seg_300e.py'
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6 / 2e-4, begin=0, end=30),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=30, end=300),
]
auto_scale_lr = dict(base_batch_size=32)
