"""A small Point-MAE for laptops; its weights are shipped, pre-trained by configs/pretrain/pointmae_mini.py.

It is trained for a short time, and the learning rate changes with every step.
"""
backbone = dict(
    type='PointMAE',
    embed_dim=192,
    depth=4,
    num_heads=6,
    num_groups=64,
    group_size=16,
    patch_dims=(48, 96, 192),
    drop_path_rate=0.0,
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/pointmae_mini.safetensors'))

_short = dict(
    optim_wrapper=dict(optimizer=dict(lr=1e-3)),
    param_scheduler=[
        dict(type='LinearLR', start_factor=1e-3, begin=0, end=2, convert_to_iter_based=True),
        dict(type='CosineAnnealingLR', eta_min=1e-6, begin=2, end=20, convert_to_iter_based=True),
    ],
    train_cfg=dict(max_epochs=20, val_interval=1),
    auto_scale_lr=dict(base_batch_size=32))
_small_decoder = dict(propagation_dims=(256, 128), dims=(128, 128))
when = {
    'classification': dict(model=dict(head=dict(pool=('max', 'mean'), dropout=0.2)), **_short),
    'few_shot': dict(
        param_scheduler=[
            dict(type='LinearLR', start_factor=1e-3, begin=0, end=5, convert_to_iter_based=True),
            dict(type='CosineAnnealingLR', eta_min=1e-6, begin=5, end=80, convert_to_iter_based=True),
        ],
        train_cfg=dict(max_epochs=80),
        default_hooks=dict(protocol=dict(test_interval=10))),  # testing takes as long as training
    'part_seg': dict(
        backbone=dict(class_token=False), model=dict(head=dict(label_dim=32, **_small_decoder)), **_short),
    'shapenetpart': dict(auto_scale_lr=dict(base_batch_size=16)),
    'shapes_part': dict(train_dataloader=dict(batch_size=32)),
    'scene_seg': dict(
        backbone=dict(class_token=False, num_groups=128), model=dict(head=_small_decoder), **_short),
    'detection': dict(backbone=dict(num_groups=256)),
}
