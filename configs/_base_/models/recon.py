"""ReCon, full size; the checkpoint is the official pre-training on ShapeNet55 (docs/model_zoo.md).

The head reads the class, the image and the text token, and the pooled patch tokens.
"""
model = dict(
    type='PointClassifier',
    backbone=dict(
        type='ReCon',
        embed_dim=384,
        depth=12,
        num_heads=6,
        num_groups=128,
        group_size=32,
        drop_path_rate=0.2,
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/recon_pretrain.pth')),
    head=dict(type='PointClsHead', pool=('prefix', 'max')))
