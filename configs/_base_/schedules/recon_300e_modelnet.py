"""Fine-tuning as published for ReCon on ModelNet40: half the learning rate."""
_base_ = 'recon_300e.py'
optim_wrapper = dict(optimizer=dict(lr=1e-5))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6 / 1e-5, begin=0, end=10),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=10, end=300),
]
