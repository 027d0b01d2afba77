"""Classification of ScanObjectNN OBJ_ONLY."""
_base_ = ['../models/classifier.py', '../datasets/scanobjnn_objonly.py', '../schedules/adamw_300e.py']
tags = ('points_2048', )
