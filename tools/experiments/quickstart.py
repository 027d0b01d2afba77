"""The built-in objects as a depth camera sees them, 10 labels per class: what is tuning a pre-trained model for?

Few labels and scans, because that is where a pre-trained model is wanted; small enough for five minutes on two CPU
cores. ``tools/quickstart.py`` runs it.
"""

_base_ = '_few_labels.py'

title = 'Scans of the built-in objects, 10 labels per class'

methods = {
    'linear probing': 'configs/linear_probe/pointmae_mini_shapes.py',
    'Point-PEFT': 'configs/point_peft/pointmae_mini_shapes.py',
    'full fine-tuning': 'configs/full/pointmae_mini_shapes.py',
}
reference = 'full fine-tuning'

_epochs = 8
_shapes = dict(type='ProceduralShapes', split='train', num_samples=2000, scan=True)
_augments = [
    dict(type='ShufflePoints'),
    dict(type='RandomScale', scale=(0.9, 1.1)),
    dict(type='RandomRotate', axis='y'),
]

options = {
    'train_dataloader.dataset': dict(_base_._few, per_class=10, dataset=_shapes),
    'test_dataloader.dataset.scan': True,
    'test_dataloader.dataset.num_samples': 480,
    'data_preprocessor.augments': _augments,
    'val_dataloader': None,
    'val_evaluator': None,
    'val_cfg': None,
    'train_cfg.max_epochs': _epochs,
    'train_cfg.val_interval': _epochs,
    'default_hooks.protocol.test_interval': _epochs,
    'default_hooks.checkpoint.interval': 1,
}
