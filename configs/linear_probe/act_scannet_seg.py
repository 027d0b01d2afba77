"""Linear probing of ACT, scene segmentation on ScanNet."""
_base_ = [
    '../_base_/models/act_scene_seg.py', '../_base_/tuners/linear_probe.py',
    '../_base_/datasets/scannet_seg.py', '../_base_/schedules/scene_seg_200e.py', '../_base_/scene_seg_runtime.py'
]
model = dict(
    tuner={{_base_.tuner}},
    test_cfg={{_base_.sliding}},
    head=dict(
        _delete_=True,
        type='LinearSceneSegHead',
        num_classes={{_base_.num_classes}},
        point_channels={{_base_.point_channels}},
        class_weight={{_base_.class_weight}}))
