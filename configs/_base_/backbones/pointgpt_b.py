"""PointGPT-B; the checkpoint is the official one after post-pre-training (docs/model_zoo.md).

In full fine-tuning the generator of the pre-training stays, as an auxiliary task, and the schedule is the published one.
"""
backbone = dict(
    type='PointGPT',
    embed_dim=768,
    depth=12,
    num_heads=12,
    num_groups=128,
    group_size=32,
    patch_dims=(256, 512, 1024, 2048),
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/pointgpt_b_pretrain.pth'))
supports = {
    'classification':
    'PointGPT-B and -L are published for classification only, so which of its blocks a decoder should read is not known; take pointgpt_s.'
}

when = {
    'classification': dict(model=dict(head=dict(pool=('cls', 'max'), token_norm=True))),
    'classification and linear_probe': dict(model=dict(head=dict(token_norm=False))),
    'points_1024': dict(backbone=dict(num_groups=64)),
    'full and classification': dict(
        model=dict(
            auxiliary_head=dict(
                type='GenerationHead', depth=4, num_heads='${backbone.num_heads}', group_size=32, loss_weight=3.0))),
    'full and points_2048': dict(
        optim_wrapper=dict(optimizer=dict(lr=1e-4)),
        param_scheduler=[
            dict(type='LinearLR', start_factor=1e-6 / 1e-4, begin=0, end=10),
            dict(type='CosineAnnealingLR', eta_min=1e-6, begin=10, end=30),
        ],
        train_cfg=dict(max_epochs=30),
        train_dataloader=dict(batch_size=64),
        auto_scale_lr=dict(base_batch_size=64)),
    'full and like_modelnet': dict(
        optim_wrapper=dict(optimizer=dict(lr=1e-4)),
        param_scheduler=[
            dict(type='LinearLR', start_factor=1e-6 / 1e-4, begin=0, end=10),
            dict(type='CosineAnnealingLR', eta_min=1e-6, begin=10, end=50),
        ],
        train_cfg=dict(max_epochs=50),
        train_dataloader=dict(batch_size=128),
        auto_scale_lr=dict(base_batch_size=128)),
}
