"""Classification of ScanObjectNN OBJ_BG."""
_base_ = ['../models/classifier.py', '../datasets/scanobjnn_objbg.py', '../schedules/adamw_300e.py']
tags = ('points_2048', )
