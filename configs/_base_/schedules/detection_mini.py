"""A short training of small detectors on the built-in rooms; the learning rate changes with every step."""
_base_ = 'detection_36e.py'
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=1, end=24, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=24, val_interval=4)
auto_scale_lr = dict(base_batch_size=4)
