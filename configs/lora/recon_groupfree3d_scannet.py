"""LoRA on ReCon, Group-Free 3D on ScanNet."""
_base_ = [
    '../_base_/models/groupfree3d.py', '../_base_/models/recon_scene.py',
    '../_base_/tuners/lora.py', '../_base_/datasets/scannet_det.py',
    '../_base_/schedules/detection_36e.py', '../_base_/detection_runtime.py'
]
model = dict(
    backbone=dict(backbone={{_base_.backbone}}, stages={{_base_.stages}}, tuner={{_base_.tuner}}),
    neck=dict(in_channels={{_base_.seed_channels}}),
    bbox_head=dict(num_classes={{_base_.num_classes}}, bbox_coder={{_base_.box_coder}}))
