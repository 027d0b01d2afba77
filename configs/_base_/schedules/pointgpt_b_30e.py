"""Fine-tuning as published for PointGPT-B on ScanObjectNN, for a batch size of 64."""
_base_ = 'adamw_300e.py'
optim_wrapper = dict(optimizer=dict(lr=1e-4))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6 / 1e-4, begin=0, end=10),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=10, end=30),
]

train_cfg = dict(max_epochs=30)
auto_scale_lr = dict(base_batch_size=64)
