"""Point-MAE, full size; the checkpoint is the official pre-training on ShapeNet55 (docs/model_zoo.md)."""
backbone = dict(
    type='PointMAE',
    embed_dim=384,
    depth=12,
    num_heads=6,
    num_groups=128,
    group_size=32,
    drop_path_rate=0.1,
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/pointmae_pretrain.pth'))
when = {
    'points_1024': dict(backbone=dict(num_groups=64)),
    'part_seg or scene_seg': dict(backbone=dict(class_token=False)),
    'detection': dict(backbone=dict(num_groups=1024)),
}
