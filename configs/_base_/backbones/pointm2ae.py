"""Point-M2AE, three stages; the checkpoint is the official pre-training on ShapeNet55 (docs/model_zoo.md).

As published, the head for ScanObjectNN leaves the first token out of its maximum; for clouds of 1024 points and for parts the
groups are smaller. With `stage_norms` every stage is closed by its pre-trained norm, which full fine-tuning of classifiers
leaves out.
"""
backbone = dict(
    type='PointM2AE',
    embed_dims=(96, 192, 384),
    depths=(5, 5, 5),
    num_heads=6,
    num_groups=(512, 256, 64),
    group_size=(32, 16, 16),
    local_radius=(0.32, 0.64, 1.28),
    drop_path_rate=0.1,
    init_cfg=dict(type='Pretrained', checkpoint='checkpoints/pointm2ae_pretrain.pth'))

_dense = dict(group_size=(16, 8, 8), stage_norms=True, new_norm=False)
when = {
    'classification': dict(model=dict(head=dict(pool=('mean', 'max_but_first')))),
    'points_1024': dict(
        backbone=dict(group_size=(16, 8, 8)), model=dict(head=dict(pool=('sum', ), label_smoothing=0.3))),
    'classification and not full': dict(backbone=dict(stage_norms=True)),
    'part_seg': dict(
        backbone=_dense,
        model=dict(
            head=dict(
                _delete_=True,
                type='HierarchicalPartSegHead',
                parts_per_category='${parts_per_category}'))),
    'scene_seg': dict(backbone=_dense),
    'detection': dict(backbone=dict(num_groups=(1024, 512, 256), **_dense)),
}
