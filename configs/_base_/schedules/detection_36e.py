"""Detection in 36 epochs, as mmdet3d trains VoteNet; AdamW with the weight decay of VoteNet's and Group-Free's configs."""
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='PointOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.01),
    clip_grad=dict(max_norm=10, norm_type=2))

param_scheduler = [
    dict(type='LinearLR', start_factor=1e-2, begin=0, end=1, convert_to_iter_based=True),
    dict(type='MultiStepLR', milestones=[24, 32], gamma=0.1, begin=0, end=36),
]

train_cfg = dict(by_epoch=True, max_epochs=36, val_interval=1)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=8)
