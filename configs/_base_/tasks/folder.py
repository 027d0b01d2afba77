"""Classification of a directory of one's own; set data_root (tools/train.py --data), and see docs/own_data.md."""
_base_ = ['../models/classifier.py', '../datasets/folder.py', '../schedules/adamw_300e.py']
tags = ('points_1024', 'like_modelnet')
