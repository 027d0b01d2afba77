"""Part segmentation of ShapeNetPart."""
_base_ = ['../models/part_segmentor.py', '../datasets/shapenetpart.py', '../schedules/part_seg_300e.py']
