"""Linear probing of the mini Point-MAE, scene segmentation on S3DIS."""
_base_ = [
    '../_base_/models/pointmae_mini_scene_seg.py', '../_base_/tuners/linear_probe.py',
    '../_base_/datasets/s3dis_seg.py', '../_base_/schedules/adamw_mini.py', '../_base_/scene_seg_runtime.py'
]
model = dict(
    tuner={{_base_.tuner}},
    test_cfg={{_base_.sliding}},
    head=dict(
        _delete_=True,
        type='LinearSceneSegHead',
        stages=((0, 1, 3), ),
        num_classes={{_base_.num_classes}},
        point_channels={{_base_.point_channels}},
        class_weight={{_base_.class_weight}}))
