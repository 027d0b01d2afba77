"""Point-BERT, full size; the checkpoint is the official pre-training on ShapeNet55 (docs/model_zoo.md)."""
model = dict(
    type='PointClassifier',
    backbone=dict(
        type='PointBERT',
        embed_dim=384,
        depth=12,
        num_heads=6,
        num_groups=64,
        group_size=32,
        drop_path_rate=0.1,
        patch_dim=256,
        init_cfg=dict(type='Pretrained', checkpoint='checkpoints/pointbert_pretrain.pth')),
    head=dict(type='PointClsHead', hidden_dims=(256,), batch_norm=False, label_smoothing=0.2))
