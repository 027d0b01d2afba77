"""Few-shot as published for PointGPT-S: 300 epochs with a long warm-up, without validation."""
_base_ = 'adamw_300e.py'
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6 / 5e-4, begin=0, end=30),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=30, end=300),
]

val_cfg = None
