"""Classification of ModelNet10."""
_base_ = ['../models/classifier.py', '../datasets/modelnet10.py', '../schedules/adamw_300e.py']
tags = ('points_1024', 'like_modelnet')
_classes = dict(dataset=dict(num_classes='${num_classes}'))
train_dataloader = val_dataloader = test_dataloader = _classes
