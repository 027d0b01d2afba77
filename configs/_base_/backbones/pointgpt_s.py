"""PointGPT-S; the checkpoint is the official pre-training on ShapeNet55 (docs/model_zoo.md).

In full fine-tuning the generator of the pre-training stays, as an auxiliary task, and the schedule is the published one, with a
long warm-up. For parts the generator is in the published files, but its loss is not used.
"""
backbone = dict(
    type='PointGPT',
    embed_dim=384,
    depth=12,
    num_heads=6,
    num_groups=128,
    group_size=32,
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/pointgpt_s_pretrain.pth'))

_generator = dict(type='GenerationHead', depth=4, num_heads=6, group_size=32)
when = {
    'classification': dict(model=dict(head=dict(pool=('cls', 'max'), token_norm=True))),
    'classification and linear_probe': dict(model=dict(head=dict(token_norm=False))),
    'points_1024': dict(backbone=dict(num_groups=64)),
    'part_seg or scene_seg': dict(backbone=dict(hidden_norm=True, drop_path_rate=0.1)),
    'detection': dict(backbone=dict(num_groups=1024, hidden_norm=True)),
    'full and classification': dict(model=dict(auxiliary_head=dict(loss_weight=3.0, **_generator))),
    'full and points_2048': dict(
        optim_wrapper=dict(optimizer=dict(lr=1e-4)),
        param_scheduler=[
            dict(type='LinearLR', start_factor=1e-6 / 1e-4, begin=0, end=30),
            dict(type='CosineAnnealingLR', eta_min=1e-6, begin=30, end=300),
        ],
        train_dataloader=dict(batch_size=64),
        auto_scale_lr=dict(base_batch_size=64)),
    'full and like_modelnet': dict(
        optim_wrapper=dict(optimizer=dict(lr=1e-4)),
        param_scheduler={'0': dict(start_factor=1e-6 / 1e-4)},
        train_dataloader=dict(batch_size=128),
        auto_scale_lr=dict(base_batch_size=128)),
    'full and few_shot': dict(
        param_scheduler=[
            dict(type='LinearLR', start_factor=1e-6 / 5e-4, begin=0, end=30),
            dict(type='CosineAnnealingLR', eta_min=1e-6, begin=30, end=300),
        ],
        train_cfg=dict(max_epochs=300)),
    'full and part_seg': dict(
        model=dict(auxiliary_head=dict(loss_weight=0.0, **_generator)),
        param_scheduler=[
            dict(type='LinearLR', start_factor=1e-6 / 2e-4, begin=0, end=30),
            dict(type='CosineAnnealingLR', eta_min=1e-6, begin=30, end=300),
        ],
        train_dataloader=dict(batch_size=32),
        auto_scale_lr=dict(base_batch_size=32)),
}
