"""ReCon, full size; the checkpoint is the official pre-training on ShapeNet55 (docs/model_zoo.md).

The heads also read the class, the image and the text token. The learning rates of full fine-tuning are the published ones:
small, and ten times as much for head and class token.
"""
backbone = dict(
    type='ReCon',
    embed_dim=384,
    depth=12,
    num_heads=6,
    num_groups=128,
    group_size=32,
    drop_path_rate=0.2,
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/recon_pretrain.pth'))

_fast = {'head': 10.0, 'backbone.cls_token': 10.0, 'backbone.cls_pos': 10.0}
when = {
    'classification': dict(model=dict(head=dict(pool=('prefix', 'max')))),
    'points_1024': dict(backbone=dict(num_groups=64)),
    'few_shot': dict(backbone=dict(drop_path_rate=0.1)),
    'part_seg': dict(model=dict(head=dict(prefix=True))),
    'detection': dict(backbone=dict(num_groups=1024)),
    'full and points_2048': dict(
        optim_wrapper=dict(optimizer=dict(lr=2e-5), paramwise_cfg=dict(lr_mult=_fast)),
        param_scheduler={'0': dict(start_factor=1e-6 / 2e-5)}),
    'full and like_modelnet': dict(
        optim_wrapper=dict(optimizer=dict(lr=1e-5), paramwise_cfg=dict(lr_mult=_fast)),
        param_scheduler={'0': dict(start_factor=1e-6 / 1e-5)}),
    'full and part_seg': dict(
        optim_wrapper=dict(optimizer=dict(lr=1e-4), paramwise_cfg=dict(lr_mult=dict(head=10.0))),
        param_scheduler={'0': dict(start_factor=1e-6 / 1e-4)}),
}
