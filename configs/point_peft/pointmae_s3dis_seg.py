"""Point-PEFT on Point-MAE, scene segmentation on S3DIS."""
_base_ = [
    '../_base_/models/pointmae_scene_seg.py', '../_base_/tuners/point_peft.py',
    '../_base_/datasets/s3dis_seg.py', '../_base_/schedules/scene_seg_50e.py', '../_base_/scene_seg_runtime.py'
]
model = dict(
    tuner={{_base_.tuner}},
    test_cfg={{_base_.sliding}},
    head=dict(
        num_classes={{_base_.num_classes}},
        point_channels={{_base_.point_channels}},
        class_weight={{_base_.class_weight}}))
