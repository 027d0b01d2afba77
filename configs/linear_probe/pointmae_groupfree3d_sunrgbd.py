"""Frozen Point-MAE, Group-Free 3D on SUN RGB-D."""
_base_ = [
    '../_base_/models/groupfree3d.py', '../_base_/models/pointmae_scene.py',
    '../_base_/tuners/linear_probe.py', '../_base_/datasets/sunrgbd_det.py',
    '../_base_/schedules/detection_36e.py', '../_base_/detection_runtime.py'
]
model = dict(
    backbone=dict(backbone={{_base_.backbone}}, stages={{_base_.stages}}, tuner={{_base_.tuner}}, extra_channels=0),
    neck=dict(in_channels={{_base_.seed_channels}}),
    bbox_head=dict(
        type='point_peft.RotatedGroupFree3DHead',
        num_classes={{_base_.num_classes}}, bbox_coder={{_base_.box_coder}}))
