"""Scene segmentation of ScanNet, as many epochs as mmdet3d trains PointNet++ on it; the rest of the schedule is Point-PEFT's."""
_base_ = ['../models/scene_segmentor.py', '../datasets/scannet_seg.py', '../schedules/adamw_300e.py']
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6 / 5e-4, begin=0, end=10),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=10, end=200),
]
train_cfg = dict(max_epochs=200, val_interval=5)
auto_scale_lr = dict(base_batch_size=16)
