"""ScanNet, 20 classes, by mmdet3d's dataset, transforms and metric: blocks of 4096 points from squares of 1.5 m.

Validation and test read the validation scenes, since the labels of the test scenes are not published. Labels are mapped
there too (PointSegClassMapping), because the metric compares what it is given.
"""
_base_ = 'indoor_loaders.py'
class_names = ('wall', 'floor', 'cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window', 'bookshelf', 'picture',
               'counter', 'desk', 'curtain', 'refrigerator', 'showercurtrain', 'toilet', 'sink', 'bathtub',
               'otherfurniture')
num_classes = 20
point_channels = 6  # coordinates and color
# The weights that mmdet3d's preparation of the data writes to seg_info/train_label_weight.npy: rare classes count more.
class_weight = [
    2.389689, 2.7215734, 4.5944676, 4.8543367, 4.096086, 4.907941, 4.690836, 4.512031, 4.623311, 4.9242644, 5.358117,
    5.360071, 5.019636, 4.967126, 5.3502126, 5.4023647, 5.4027233, 5.4169416, 5.3954206, 4.6971426
]
num_points = 4096
block_size = 1.5
sliding = dict(
    num_points=num_points, block_size=block_size, sample_rate=0.5, use_normalized_coord=False, batch_size=16)

dataset_type = 'mmdet3d.ScanNetSegDataset'
data_root = 'data/scannet'
data_prefix = dict(pts='points', pts_instance_mask='instance_mask', pts_semantic_mask='semantic_mask')

data_preprocessor = dict(type='ScenePreprocessor')

loading = [
    dict(type='mmdet3d.LoadPointsFromFile', coord_type='DEPTH', use_color=True, load_dim=6, use_dim=[0, 1, 2, 3, 4, 5]),
    dict(
        type='mmdet3d.LoadAnnotations3D',
        with_bbox_3d=False,
        with_label_3d=False,
        with_mask_3d=False,
        with_seg_3d=True),
    dict(type='mmdet3d.PointSegClassMapping'),
]
train_pipeline = [
    *loading,
    dict(
        type='mmdet3d.IndoorPatchPointSample',
        num_points=num_points,
        block_size=block_size,
        ignore_index=num_classes,
        use_normalized_coord=False,
        enlarge_size=0.0),  # as large as the blocks of inference: each is scaled by its own size
    dict(type='mmdet3d.NormalizePointsColor', color_mean=None),
    dict(type='mmdet3d.Pack3DDetInputs', keys=['points', 'pts_semantic_mask']),
]
test_pipeline = [
    *loading,
    dict(type='mmdet3d.NormalizePointsColor', color_mean=None),
    dict(type='mmdet3d.Pack3DDetInputs', keys=['points']),
]

train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='scannet_infos_train.pkl',
        metainfo=dict(classes=class_names),
        data_prefix=data_prefix,
        pipeline=train_pipeline,
        ignore_index=num_classes,
        scene_idxs='seg_info/train_resampled_scene_idxs.npy'))
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='scannet_infos_val.pkl',
        metainfo=dict(classes=class_names),
        data_prefix=data_prefix,
        pipeline=test_pipeline,
        ignore_index=num_classes,
        test_mode=True))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmdet3d.SegMetric')
test_evaluator = val_evaluator
