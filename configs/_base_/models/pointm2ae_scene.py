"""Point-M2AE as the encoder of rooms: 1024, 512 and 256 tokens, the last block of every stage, closed with its norm."""
backbone = dict(
    type='PointM2AE',
    embed_dims=(96, 192, 384),
    depths=(5, 5, 5),
    num_heads=6,
    num_groups=(1024, 512, 256),
    group_size=(16, 8, 8),
    local_radius=(0.32, 0.64, 1.28),
    drop_path_rate=0.1,
    stage_norms=True,
    new_norm=False,
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/pointm2ae_pretrain.pth'))
stages = ((4, ), (9, ), (14, ))
seed_channels = (96, 192, 384)
