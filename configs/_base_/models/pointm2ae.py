"""Point-M2AE for ScanObjectNN; the checkpoint is the official pre-training on ShapeNet55 (docs/model_zoo.md).

As published, the head's maximum leaves the first token out.
"""
model = dict(
    type='PointClassifier',
    backbone=dict(
        type='PointM2AE',
        embed_dims=(96, 192, 384),
        depths=(5, 5, 5),
        num_heads=6,
        num_groups=(512, 256, 64),
        group_size=(32, 16, 16),
        local_radius=(0.32, 0.64, 1.28),
        drop_path_rate=0.1,
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/pointm2ae_pretrain.pth')),
    head=dict(type='PointClsHead', pool=('mean', 'max_but_first')))
