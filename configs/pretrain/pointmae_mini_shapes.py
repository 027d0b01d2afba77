"""Masked pre-training of the mini Point-MAE on the built-in shapes; needs no download.

Rotations about all axes, because the datasets it is fine-tuned on do not agree on which axis is up.
"""
_base_ = [
    '../_base_/models/pointmae_mini_pretrain.py', '../_base_/datasets/shapes.py',
    '../_base_/schedules/pretrain_300e.py', '../_base_/default_runtime.py',
    '../_base_/probe_shapes.py'
]
data_preprocessor = dict(augments=[
    dict(type='RandomRotate', axis='x'),
    dict(type='RandomRotate', axis='y'),
    dict(type='RandomScaleTranslate', scale=(2 / 3, 3 / 2), translate=0.2)])
train_dataloader = dict(batch_size=64, dataset=dict(num_samples=6000))
val_dataloader = val_evaluator = test_dataloader = test_evaluator = None
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=1, end=16, convert_to_iter_based=True),
]
train_cfg = dict(max_epochs=16)
default_hooks = dict(protocol=None, fit=None, delta=dict(full=True), checkpoint=dict(save_best=None))
