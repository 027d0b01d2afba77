"""Detection with VoteNet on the built-in rooms."""
_base_ = ['../models/votenet.py', '../datasets/shapes_scene.py', '../schedules/detection_mini.py']
