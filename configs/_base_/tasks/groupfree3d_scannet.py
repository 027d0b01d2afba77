"""Detection with Group-Free 3D on ScanNet."""
_base_ = ['../models/groupfree3d.py', '../datasets/scannet_det.py', '../schedules/detection_36e.py']
