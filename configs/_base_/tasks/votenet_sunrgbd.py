"""Detection with VoteNet on SUN RGB-D."""
_base_ = ['../models/votenet.py', '../datasets/sunrgbd_det.py', '../schedules/detection_36e.py']
