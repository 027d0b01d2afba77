"""A small masked autoencoder; its encoder is the backbone of pointmae_mini.py."""
model = dict(
    type='PointMAEPretrain',
    encoder=dict(
        type='PointMAE',
        class_token=False,
        embed_dim=192,
        depth=4,
        num_heads=6,
        num_groups=64,
        group_size=16,
        patch_dims=(48, 96, 192),
        drop_path_rate=0.0),
    decoder_depth=2,
    decoder_num_heads=6,
    drop_path_rate=0.0,
    mask_ratio=0.6)
