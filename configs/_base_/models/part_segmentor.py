"""Part segmentation: a backbone, tuned by a method, and the decoder of Point-MAE; instance mIoU decides which epoch is best."""
_base_ = '../default_runtime.py'
tags = ('part_seg', )
model = dict(
    type='PartSegmentor',
    backbone='${backbone}',
    head=dict(type='PlainPartSegHead', parts_per_category='${parts_per_category}'))
when = {'not full': dict(model=dict(peft='${peft}'))}
default_hooks = dict(
    protocol=dict(metrics=('instance_miou', 'class_miou')),
    checkpoint=dict(save_best='instance_miou'))
