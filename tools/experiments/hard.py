"""Scans of ModelNet10's objects instead of whole objects, 20 labels per class: trained on scans, or tested only.

A scan is turned about the up axis and tilted, hidden on one side, amid points of floor and wall, and noisy
(``Scanned``).
"""

_base_ = '_methods.py'

title = 'Scans of ModelNet10, 20 labels per class, mini Point-MAE'
compared = 'last'

_epochs = 30
_whole = dict(type='ModelNet', data_root='data/ModelNet10', num_classes=10, split='train')
_few = dict(_delete_=True, type='FewLabels', per_class=20, dataset=_whole)
_scans = dict(_few, dataset=dict(type='Scanned', dataset=_whole))
_turned = [
    dict(type='ShufflePoints'),
    dict(type='RandomScale', scale=(0.9, 1.1)),
    dict(type='RandomRotate', axis='z'),
]
_tested = {
    f'{name}_dataloader.dataset': dict(_delete_=True, type='Scanned', dataset=dict(_whole, split=name))
    for name in ('val', 'test')
}

options = {
    'data_preprocessor.augments': _turned,
    'train_cfg.max_epochs': _epochs,
    'train_cfg.val_interval': _epochs,
    'default_hooks.protocol.test_interval': _epochs,
    'default_hooks.checkpoint.interval': 10,
    **_tested,
}
settings = {
    'scans in training and test': {'train_dataloader.dataset': _scans},
    'scans in test only': {'train_dataloader.dataset': _few},
}
draws = {
    f'draw {seed}': {'randomness.seed': seed, 'train_dataloader.dataset.seed': seed} for seed in (0, 1, 2)
}
