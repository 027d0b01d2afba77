"""The mini Point-MAE as the encoder of rooms: 256 groups, tokens of blocks 1, 2 and 4."""
backbone = dict(
    type='PointMAE',
    embed_dim=128,
    depth=4,
    num_heads=4,
    num_groups=256,
    group_size=16,
    patch_dims=(64, 128, 256),
    drop_path_rate=0.0,
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/point_mae_mini_shapes.safetensors'))
stages = ((0, 1, 3), )
seed_channels = (384, )
