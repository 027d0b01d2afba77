"""The runtime of part segmentation: what is reported and what decides which epoch is best."""
_base_ = 'default_runtime.py'
default_hooks = dict(
    protocol=dict(metrics=('instance_miou', 'class_miou')),
    checkpoint=dict(save_best='instance_miou'))
