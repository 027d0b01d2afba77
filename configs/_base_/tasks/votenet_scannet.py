"""Detection with VoteNet on ScanNet."""
_base_ = ['../models/votenet.py', '../datasets/scannet_det.py', '../schedules/detection_36e.py']
