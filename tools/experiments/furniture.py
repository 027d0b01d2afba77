"""A labelled collection with folds (docs/pretraining.md), such as 393 pieces of furniture: each fold is tested once.

For another collection: ``--cfg-options data_root=FILE model.head.num_classes=CLASSES``.
"""

_base_ = '_methods.py'

title = 'Furniture, five folds, mini Point-MAE'
methods = dict(_base_._main, _delete_=True)
compared = 'last'

_file = 'data/eval_furniture.h5'
_epochs = 20
_augments = [
    dict(type='ShufflePoints'),
    dict(type='RandomScaleTranslate', scale=(0.8, 1.25), translate=0.1),
    dict(type='RandomRotate', axis='z'),
]

options = {
    'data_root': _file,
    'model.head.num_classes': 13,
    **{
        f'{name}_dataloader.dataset': dict(
            _delete_=True, type='LabelledCollection', data_root=_file, split=name
        )
        for name in ('train', 'val', 'test')
    },
    'data_preprocessor.augments': _augments,
    'train_cfg.max_epochs': _epochs,
    'train_cfg.val_interval': _epochs,
    'default_hooks.protocol.test_interval': _epochs,
    'default_hooks.checkpoint.interval': 10,
}
draws = {
    f'fold {fold}': {
        'randomness.seed': fold,
        **{f'{name}_dataloader.dataset.fold': fold for name in ('train', 'val', 'test')},
    }
    for fold in range(5)
}
