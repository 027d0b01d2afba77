"""Masked pre-training of Point-MAE on ShapeNet55, as published."""
_base_ = [
    '../_base_/models/pointmae_pretrain.py', '../_base_/datasets/shapenet55.py',
    '../_base_/schedules/pretrain_300e.py', '../_base_/default_runtime.py'
]
default_hooks = dict(protocol=None, fit=None, delta=dict(full=True), checkpoint=dict(save_best=None))
