"""Classification of a directory of one's own; set data_root, and num_classes to the number of its classes."""
_base_ = ['../models/classifier.py', '../datasets/folder.py', '../schedules/adamw_300e.py']
tags = ('points_1024', 'like_modelnet')
