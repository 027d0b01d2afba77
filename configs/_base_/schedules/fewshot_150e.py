"""Few-shot as published for Point-MAE, ACT and ReCon: 150 epochs, without validation."""
_base_ = 'adamw_300e.py'
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6 / 5e-4, begin=0, end=10),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=10, end=150),
]

train_cfg = dict(max_epochs=150)
val_cfg = None
