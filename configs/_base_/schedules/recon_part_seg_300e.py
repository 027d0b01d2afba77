"""Part segmentation as published for ReCon: a smaller learning rate, ten times as much for the head."""
_base_ = 'part_seg_300e.py'
optim_wrapper = dict(optimizer=dict(lr=1e-4), paramwise_cfg=dict(lr_mult=dict(head=10.0)))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6 / 1e-4, begin=0, end=10),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=10, end=300),
]
