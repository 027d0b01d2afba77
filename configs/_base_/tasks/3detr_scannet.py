"""Detection with 3DETR on ScanNet."""
_base_ = ['../models/detr3d.py', '../datasets/scannet_det.py', '../schedules/detection_36e.py']
