"""Detection with 3DETR on SUN RGB-D."""
_base_ = ['../models/detr3d_rotated.py', '../datasets/sunrgbd_det.py', '../schedules/detection_36e.py']
