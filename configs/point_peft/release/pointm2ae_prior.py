"""The prior of the released Point-PEFT on Point-M2AE: the descriptor that its memory bank holds and is queried with.

For the official pre-training, converted with tools/model_converters/convert_official.py. There is nothing to train.
"""
_base_ = ['../../_base_/default_runtime.py']
custom_imports = dict(imports=['point_peft.release'])
model = dict(
    type='PointDescriptor',
    backbone=dict(type='ReleasePointM2AEPrior', num_groups=(512, 256, 64), group_size=(16, 8, 8)))
