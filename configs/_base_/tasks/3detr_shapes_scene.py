"""Detection with 3DETR on the built-in rooms."""
_base_ = ['../models/detr3d_rotated.py', '../datasets/shapes_scene.py', '../schedules/detection_mini.py']
