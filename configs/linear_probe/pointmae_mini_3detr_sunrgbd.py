"""Frozen the mini Point-MAE, 3DETR on SUN RGB-D."""
_base_ = [
    '../_base_/models/detr3d_rotated.py', '../_base_/models/pointmae_mini_scene.py',
    '../_base_/tuners/linear_probe.py', '../_base_/datasets/sunrgbd_det.py',
    '../_base_/schedules/detection_36e.py', '../_base_/detection_runtime.py'
]
model = dict(
    backbone=dict(backbone={{_base_.backbone}}, stages={{_base_.stages}}, tuner={{_base_.tuner}}, extra_channels=0),
    neck=dict(in_channels={{_base_.seed_channels}}),
    bbox_head=dict(num_classes={{_base_.num_classes}}, bbox_coder={{_base_.box_coder}}))
