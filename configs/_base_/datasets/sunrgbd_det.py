"""SUN RGB-D for detection, 10 classes with oriented boxes, by mmdet3d's dataset, transforms and metric: 20000 points of
a depth image, their height above the floor as a fourth number.

Validation and test read the same scenes, as published results do; the dataset has no third part.
"""
_base_ = 'indoor_loaders.py'
class_names = ('bed', 'table', 'sofa', 'chair', 'toilet', 'desk', 'dresser', 'night_stand', 'bookshelf', 'bathtub')
num_classes = 10
num_points = 20000
box_coder = dict(
    num_sizes=10,
    num_dir_bins=12,
    with_rot=True,
    mean_sizes=[  # along the heading, across it and up in metres, by class, as in mmdet3d's configs
        [2.114256, 1.620300, 0.927272], [0.791118, 1.279516, 0.718182], [0.923508, 1.867419, 0.845495],
        [0.591958, 0.552978, 0.827272], [0.699104, 0.454178, 0.75625], [0.69519, 1.346299, 0.736364],
        [0.528526, 1.002642, 1.172878], [0.500618, 0.632163, 0.683424], [0.404671, 1.071108, 1.688889],
        [0.76584, 1.398258, 0.472728]])

data_root = 'data/sunrgbd'
rooms = dict(
    type='mmdet3d.SUNRGBDDataset',
    data_root=data_root,
    metainfo=dict(classes=class_names),
    filter_empty_gt=False,
    box_type_3d='Depth')

train_pipeline = [
    dict(
        type='mmdet3d.LoadPointsFromFile', coord_type='DEPTH', shift_height=True, load_dim=6, use_dim=[0, 1, 2]),
    dict(type='mmdet3d.LoadAnnotations3D'),
    dict(type='mmdet3d.RandomFlip3D', sync_2d=False, flip_ratio_bev_horizontal=0.5),
    dict(
        type='mmdet3d.GlobalRotScaleTrans',
        rot_range=[-0.523599, 0.523599],
        scale_ratio_range=[0.85, 1.15],
        shift_height=True),
    dict(type='mmdet3d.PointSample', num_points=num_points),
    dict(type='mmdet3d.Pack3DDetInputs', keys=['points', 'gt_bboxes_3d', 'gt_labels_3d']),
]
test_pipeline = [
    dict(
        type='mmdet3d.LoadPointsFromFile', coord_type='DEPTH', shift_height=True, load_dim=6, use_dim=[0, 1, 2]),
    dict(type='mmdet3d.PointSample', num_points=num_points),
    dict(type='mmdet3d.Pack3DDetInputs', keys=['points']),
]

train_dataloader = dict(
    batch_size=16,
    dataset=dict(
        type='RepeatDataset',
        times=5,
        dataset=dict(ann_file='sunrgbd_infos_train.pkl', pipeline=train_pipeline, **rooms)))
val_dataloader = dict(dataset=dict(ann_file='sunrgbd_infos_val.pkl', pipeline=test_pipeline, test_mode=True, **rooms))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmdet3d.IndoorMetric')
test_evaluator = val_evaluator
