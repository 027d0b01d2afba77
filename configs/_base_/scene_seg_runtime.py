"""The runtime of scene segmentation.

Validation and test are the same rooms, and mmdet3d's metric gives fractions, so there is no table of both in percent.
"""
_base_ = 'default_runtime.py'
default_hooks = dict(protocol=None, checkpoint=dict(save_best='miou'))
