"""Detection with Group-Free 3D on SUN RGB-D."""
_base_ = ['../models/groupfree3d.py', '../datasets/sunrgbd_det.py', '../schedules/detection_36e.py']
model = dict(bbox_head=dict(type='point_peft.RotatedGroupFree3DHead'))  # these boxes are turned
