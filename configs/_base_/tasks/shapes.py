"""Classification of the built-in shapes; needs no download."""
_base_ = ['../models/classifier.py', '../datasets/shapes.py', '../schedules/adamw_300e.py']
tags = ('points_1024', 'like_modelnet')
