"""The built-in rooms for detection, 7 classes with oriented boxes: 4096 points of a room, their height above the floor
as a fourth number. The rooms are made at the first start, in seconds, and kept in data_root.
"""
_base_ = 'indoor_loaders.py'
class_names = ('bed', 'bookshelf', 'cabinet', 'chair', 'lamp', 'sofa', 'table')
num_classes = 7
num_points = 4096
box_coder = dict(
    num_sizes=7,
    num_dir_bins=12,
    with_rot=True,
    mean_sizes=[  # along the heading, across it and up in metres, by class, of the 200 training scenes
        [2.1, 1.39, 0.93], [0.59, 1.33, 1.52], [0.6, 1.07, 1.11], [0.64, 0.64, 0.94], [0.68, 0.76, 1.35],
        [1.11, 1.66, 0.87], [0.91, 1.25, 0.77]])

data_root = 'data/shapes_scene'
rooms = dict(
    type='ShapesScene',
    data_root=data_root,
    num_points=num_points,
    metainfo=dict(classes=class_names),
    filter_empty_gt=False,
    box_type_3d='Depth')

train_pipeline = [
    dict(
        type='mmdet3d.LoadPointsFromFile', coord_type='DEPTH', shift_height=True, load_dim=6, use_dim=[0, 1, 2]),
    dict(type='mmdet3d.LoadAnnotations3D'),
    dict(
        type='mmdet3d.RandomFlip3D', sync_2d=False, flip_ratio_bev_horizontal=0.5, flip_ratio_bev_vertical=0.5),
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

in_this_process = dict(num_workers=0, persistent_workers=False)  # the files are small
train_dataloader = dict(
    batch_size=4, dataset=dict(split='train', num_scenes=200, pipeline=train_pipeline, **rooms), **in_this_process)
val_dataloader = dict(
    dataset=dict(split='val', num_scenes=50, pipeline=test_pipeline, test_mode=True, **rooms), **in_this_process)
test_dataloader = dict(
    dataset=dict(split='test', num_scenes=50, pipeline=test_pipeline, test_mode=True, **rooms), **in_this_process)

val_evaluator = dict(type='mmdet3d.IndoorMetric')
test_evaluator = val_evaluator
