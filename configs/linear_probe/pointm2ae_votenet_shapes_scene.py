"""Frozen Point-M2AE, VoteNet on the built-in rooms."""
_base_ = [
    '../_base_/models/votenet.py', '../_base_/models/pointm2ae_scene.py',
    '../_base_/tuners/linear_probe.py', '../_base_/datasets/shapes_scene.py',
    '../_base_/schedules/detection_mini.py', '../_base_/detection_runtime.py'
]
model = dict(
    backbone=dict(backbone={{_base_.backbone}}, stages={{_base_.stages}}, tuner={{_base_.tuner}}, extra_channels=0),
    neck=dict(in_channels={{_base_.seed_channels}}),
    bbox_head=dict(num_classes={{_base_.num_classes}}, bbox_coder={{_base_.box_coder}}))
