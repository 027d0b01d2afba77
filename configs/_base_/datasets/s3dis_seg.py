"""S3DIS, 13 classes, by mmdet3d's dataset, transforms and metric: blocks of 4096 points from squares of 1 m.

Trained on areas 1, 2, 3, 4 and 6; validation and test are area 5, as papers have it.
"""
_base_ = 'indoor_loaders.py'
class_names = ('ceiling', 'floor', 'wall', 'beam', 'column', 'window', 'door', 'table', 'chair', 'sofa', 'bookcase',
               'board', 'clutter')
num_classes = 13
point_channels = 9  # coordinates, color, coordinates relative to the room's largest
class_weight = None
num_points = 4096
block_size = 1.0
sliding = dict(num_points=num_points, block_size=block_size, sample_rate=0.5, use_normalized_coord=True, batch_size=16)

dataset_type = 'mmdet3d.S3DISSegDataset'
data_root = 'data/s3dis'
data_prefix = dict(pts='points', pts_instance_mask='instance_mask', pts_semantic_mask='semantic_mask')
train_areas = (1, 2, 3, 4, 6)
test_area = 5

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
        use_normalized_coord=True,
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
        ann_files=[f's3dis_infos_Area_{area}.pkl' for area in train_areas],
        metainfo=dict(classes=class_names),
        data_prefix=data_prefix,
        pipeline=train_pipeline,
        ignore_index=num_classes,
        scene_idxs=[f'seg_info/Area_{area}_resampled_scene_idxs.npy' for area in train_areas]))
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_files=[f's3dis_infos_Area_{test_area}.pkl'],
        metainfo=dict(classes=class_names),
        data_prefix=data_prefix,
        pipeline=test_pipeline,
        ignore_index=num_classes,
        test_mode=True))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmdet3d.SegMetric')
test_evaluator = val_evaluator
