"""ACT, full size; the checkpoint is the official pre-training on ShapeNet55 (docs/model_zoo.md)."""
backbone = dict(
    type='ACT',
    embed_dim=384,
    depth=12,
    num_heads=6,
    num_groups=128,
    group_size=32,
    drop_path_rate=0.1,
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/act_pretrain.pth'))
when = {
    'points_1024': dict(backbone=dict(num_groups=64)),
    'detection': dict(backbone=dict(num_groups=1024)),
}
