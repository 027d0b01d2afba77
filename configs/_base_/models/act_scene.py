"""ACT as the encoder of rooms: 1024 groups, tokens of blocks 4, 8 and 12."""
backbone = dict(
    type='ACT',
    embed_dim=384,
    depth=12,
    num_heads=6,
    num_groups=1024,
    group_size=32,
    drop_path_rate=0.1,
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/act_pretrain.pth'))
stages = ((3, 7, 11), )
seed_channels = (1152, )
