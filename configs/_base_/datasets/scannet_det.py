"""ScanNet for detection, 18 classes with upright boxes, by mmdet3d's dataset, transforms and metric: 40000 points of a
scan, their height above the floor as a fourth number.

Validation and test read the validation scenes, since the labels of the test scenes are not published.
"""
_base_ = 'indoor_loaders.py'
class_names = ('cabinet', 'bed', 'chair', 'sofa', 'table', 'door', 'window', 'bookshelf', 'picture', 'counter', 'desk',
               'curtain', 'refrigerator', 'showercurtrain', 'toilet', 'sink', 'bathtub', 'garbagebin')
num_classes = 18
num_points = 40000
box_coder = dict(
    num_sizes=18,
    num_dir_bins=1,
    with_rot=False,
    mean_sizes=[  # along x, y and z in metres, by class, as in mmdet3d's configs
        [0.76966727, 0.8116021, 0.92573744], [1.876858, 1.8425595, 1.1931566], [0.61328, 0.6148609, 0.7182701],
        [1.3955007, 1.5121545, 0.83443564], [0.97949594, 1.0675149, 0.6329687], [0.531663, 0.5955577, 1.7500148],
        [0.9624706, 0.72462326, 1.1481868], [0.83221924, 1.0490936, 1.6875663], [0.21132214, 0.4206159, 0.5372846],
        [1.4440073, 1.8970833, 0.26985747], [1.0294262, 1.4040797, 0.87554324], [1.3766412, 0.65521795, 1.6813129],
        [0.6650819, 0.71111923, 1.298853], [0.41999173, 0.37906948, 1.7513971], [0.59359556, 0.5912492, 0.73919016],
        [0.50867593, 0.50656086, 0.30136237], [1.1511526, 1.0546296, 0.49706793], [0.47535285, 0.49249494, 0.5802117]])

data_root = 'data/scannet'
rooms = dict(
    type='mmdet3d.ScanNetDataset',
    data_root=data_root,
    metainfo=dict(classes=class_names),
    filter_empty_gt=False,
    box_type_3d='Depth')

train_pipeline = [
    dict(
        type='mmdet3d.LoadPointsFromFile', coord_type='DEPTH', shift_height=True, load_dim=6, use_dim=[0, 1, 2]),
    dict(
        type='mmdet3d.LoadAnnotations3D',
        with_bbox_3d=True,
        with_label_3d=True,
        with_mask_3d=True,
        with_seg_3d=True),
    dict(type='mmdet3d.GlobalAlignment', rotation_axis=2),
    dict(type='mmdet3d.PointSegClassMapping'),
    dict(type='mmdet3d.PointSample', num_points=num_points),
    dict(
        type='mmdet3d.RandomFlip3D', sync_2d=False, flip_ratio_bev_horizontal=0.5, flip_ratio_bev_vertical=0.5),
    dict(
        type='mmdet3d.GlobalRotScaleTrans',
        rot_range=[-0.087266, 0.087266],
        scale_ratio_range=[1.0, 1.0],
        shift_height=True),
    dict(
        type='mmdet3d.Pack3DDetInputs',
        keys=['points', 'gt_bboxes_3d', 'gt_labels_3d', 'pts_semantic_mask', 'pts_instance_mask']),
]
test_pipeline = [
    dict(
        type='mmdet3d.LoadPointsFromFile', coord_type='DEPTH', shift_height=True, load_dim=6, use_dim=[0, 1, 2]),
    dict(type='mmdet3d.GlobalAlignment', rotation_axis=2),
    dict(type='mmdet3d.PointSample', num_points=num_points),
    dict(type='mmdet3d.Pack3DDetInputs', keys=['points']),
]

train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        type='RepeatDataset',
        times=5,
        dataset=dict(ann_file='scannet_infos_train.pkl', pipeline=train_pipeline, **rooms)))
val_dataloader = dict(dataset=dict(ann_file='scannet_infos_val.pkl', pipeline=test_pipeline, test_mode=True, **rooms))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmdet3d.IndoorMetric')
test_evaluator = val_evaluator
