"""Part segmentation of the built-in shapes; needs no download."""
_base_ = ['../models/part_segmentor.py', '../datasets/shapes_part.py', '../schedules/part_seg_300e.py']
train_dataloader = dict(batch_size=16)
