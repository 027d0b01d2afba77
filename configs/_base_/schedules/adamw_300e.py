"""Fine-tuning as published for Point-MAE and Point-PEFT; the learning rate changes once per epoch."""
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='PointOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=5e-4, weight_decay=0.05),
    clip_grad=dict(max_norm=10))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6 / 5e-4, begin=0, end=10),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=10, end=300),
]

train_cfg = dict(by_epoch=True, max_epochs=300, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=32)
