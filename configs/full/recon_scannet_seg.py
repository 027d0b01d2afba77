"""Full fine-tuning of ReCon, scene segmentation on ScanNet."""
_base_ = [
    '../_base_/models/recon_scene_seg.py', '../_base_/datasets/scannet_seg.py',
    '../_base_/schedules/scene_seg_200e.py', '../_base_/scene_seg_runtime.py'
]
model = dict(
    test_cfg={{_base_.sliding}},
    head=dict(
        num_classes={{_base_.num_classes}},
        point_channels={{_base_.point_channels}},
        class_weight={{_base_.class_weight}}))
