"""Fine-tuning as published for ReCon on ScanObjectNN: a small learning rate, ten times as much for head and class token."""
_base_ = 'adamw_300e.py'
optim_wrapper = dict(
    optimizer=dict(lr=2e-5),
    paramwise_cfg=dict(lr_mult={'head': 10.0, 'backbone.cls_token': 10.0, 'backbone.cls_pos': 10.0}))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6 / 2e-5, begin=0, end=10),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=10, end=300),
]
