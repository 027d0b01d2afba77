"""Classification of ModelNet40."""
_base_ = ['../models/classifier.py', '../datasets/modelnet40.py', '../schedules/adamw_300e.py']
tags = ('points_1024', 'like_modelnet')
