"""Point-BERT, full size; the checkpoint is the official pre-training on ShapeNet55 (docs/model_zoo.md).

It is published for 1024 points, with a smaller head and label smoothing, and for parts with a decoder of graph convolutions.
"""
backbone = dict(
    type='PointBERT',
    embed_dim=384,
    depth=12,
    num_heads=6,
    num_groups=64,
    group_size=32,
    drop_path_rate=0.1,
    patch_dim=256,
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/pointbert_pretrain.pth'))
when = {
    'classification': dict(model=dict(head=dict(hidden_dims=(256, ), batch_norm=False, label_smoothing=0.2))),
    'points_2048': dict(data_preprocessor=dict(num_points=1024, num_candidates=1200)),
    'part_seg or scene_seg': dict(backbone=dict(num_groups=128)),
    'part_seg': dict(
        model=dict(
            head=dict(
                _delete_=True,
                type='GraphPartSegHead',
                parts_per_category='${parts_per_category}'))),
    'detection': dict(backbone=dict(num_groups=1024)),
}
