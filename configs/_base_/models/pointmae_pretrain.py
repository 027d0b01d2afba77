"""Point-MAE's masked autoencoder, full size, as pre-trained on ShapeNet55."""
model = dict(
    type='PointMAEPretrain',
    encoder=dict(
        type='PointMAE',
        class_token=False,
        embed_dim=384,
        depth=12,
        num_heads=6,
        num_groups=64,
        group_size=32,
        drop_path_rate=0.1),
    decoder_depth=4,
    decoder_num_heads=6,
    mask_ratio=0.6)
