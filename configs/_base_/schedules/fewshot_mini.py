"""A short few-shot fine-tuning for small backbones, without validation; the learning rate changes with every step."""
_base_ = 'adamw_mini.py'
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=5, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=5, end=80, convert_to_iter_based=True),
]

train_cfg = dict(max_epochs=80)
val_cfg = None
