"""Classification of ScanObjectNN PB_T50_RS."""
_base_ = ['../models/classifier.py', '../datasets/scanobjnn_hardest.py', '../schedules/adamw_300e.py']
tags = ('points_2048', )
