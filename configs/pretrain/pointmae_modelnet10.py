"""Masked pre-training of Point-MAE on the training objects of ModelNet10."""
_base_ = [
    '../_base_/models/pointmae_pretrain.py', '../_base_/datasets/modelnet10.py',
    '../_base_/schedules/pretrain_300e.py', '../_base_/default_runtime.py'
]
train_dataloader = dict(batch_size=128)
val_dataloader = val_evaluator = test_dataloader = test_evaluator = None
default_hooks = dict(protocol=None, fit=None, delta=dict(full=True), checkpoint=dict(save_best=None))
