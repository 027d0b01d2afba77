"""Classification of objects: a backbone, tuned by a method, and a head on its pooled tokens."""
_base_ = '../default_runtime.py'
tags = ('classification', )
model = dict(
    type='PointClassifier',
    backbone='${backbone}',
    head=dict(type='PointClsHead', num_classes='${num_classes}'))
when = {'not full': dict(model=dict(peft='${peft}'))}
