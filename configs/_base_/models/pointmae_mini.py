"""A small Point-MAE for laptops; its weights are shipped, pre-trained on the built-in shapes (configs/pretrain)."""
model = dict(
    type='PointClassifier',
    backbone=dict(
        type='PointMAE',
        embed_dim=128,
        depth=4,
        num_heads=4,
        num_groups=64,
        group_size=16,
        patch_dims=(64, 128, 256),
        drop_path_rate=0.0,
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/point_mae_mini_shapes.safetensors')),
    head=dict(type='PointClsHead', pool=('max', 'mean'), dropout=0.2))
