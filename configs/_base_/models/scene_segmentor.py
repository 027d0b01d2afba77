"""Scene segmentation: blocks of a room in place of objects, decoded from the blocks that the backbone names.

Validation and test are the same rooms, and mmdet3d's metric gives fractions, so there is no table of both in percent.
"""
_base_ = '../default_runtime.py'
tags = ('scene_seg', )
model = dict(
    type='SceneSegmentor',
    backbone='${backbone}',
    head=dict(
        type='PropagationSceneSegHead',
        num_classes='${num_classes}',
        point_channels='${point_channels}',
        class_weight='${class_weight}'),
    test_cfg='${sliding}')
when = {'not full': dict(model=dict(peft='${peft}'))}
default_hooks = dict(protocol=None, checkpoint=dict(save_best='miou'))
