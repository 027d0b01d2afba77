"""Scans of ModelNet10's objects instead of whole objects, 20 labels per class: trained on scans, or tested only.

A scan is turned about the up axis and tilted, hidden on one side, amid points of floor and wall, and noisy
(``Scanned``).
"""

_base_ = ['_methods.py', '_few_labels.py']

title = 'Scans of ModelNet10, 20 labels per class, mini Point-MAE'
chosen_in = 'scans in training and test'
methods = dict(_base_._main, _delete_=True)

_whole = _base_._objects
options = {
    'data_preprocessor.augments': [
        dict(type='ShufflePoints'),
        dict(type='RandomScale', scale=(0.9, 1.1)),
        dict(type='RandomRotate', axis='z'),
    ],
    **{
        f'{name}_dataloader.dataset': dict(_delete_=True, type='Scanned', dataset=dict(_whole, split=name))
        for name in ('val', 'test')
    },
}
settings = {
    'scans in training and test': {
        'train_dataloader.dataset': dict(_base_._few, dataset=dict(type='Scanned', dataset=_whole))
    },
    'scans in test only': {'train_dataloader.dataset': _base_._few},
}
