"""Detection with Group-Free 3D on the built-in rooms."""
_base_ = ['../models/groupfree3d.py', '../datasets/shapes_scene.py', '../schedules/detection_mini.py']
model = dict(bbox_head=dict(type='point_peft.RotatedGroupFree3DHead'))  # these boxes are turned
