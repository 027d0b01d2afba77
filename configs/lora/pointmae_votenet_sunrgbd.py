"""LoRA on Point-MAE, VoteNet on SUN RGB-D."""
_base_ = [
    '../_base_/models/votenet.py', '../_base_/models/pointmae_scene.py',
    '../_base_/tuners/lora.py', '../_base_/datasets/sunrgbd_det.py',
    '../_base_/schedules/detection_36e.py', '../_base_/detection_runtime.py'
]
model = dict(
    backbone=dict(backbone={{_base_.backbone}}, stages={{_base_.stages}}, tuner={{_base_.tuner}}),
    neck=dict(in_channels={{_base_.seed_channels}}),
    bbox_head=dict(num_classes={{_base_.num_classes}}, bbox_coder={{_base_.box_coder}}))
