"""ModelNet10 with 1, 5, 10 and 20 labels per class: which methods need fewer?

The last epoch counts, so that no labels are spent on choosing one. The learning rate of every method is chosen once per
setting on the validation split.
"""

_base_ = '_methods.py'

title = 'ModelNet10 with few labels, mini Point-MAE'

compared = 'last'

_objects = dict(type='ModelNet', data_root='data/ModelNet10', num_classes=10, split='train')
_epochs = {1: 100, 5: 60, 10: 40, 20: 30}  # so that every setting takes a similar number of steps

settings = {
    f'{count} per class': {
        'train_dataloader.dataset': dict(_delete_=True, type='FewLabels', per_class=count, dataset=_objects),
        'train_dataloader.batch_size': min(10 * count, 32),
        'train_cfg.max_epochs': epochs,
        'train_cfg.val_interval': epochs,
        'default_hooks.protocol.test_interval': epochs,
        'default_hooks.checkpoint.interval': 10,
    }
    for count, epochs in _epochs.items()
}
draws = {
    f'draw {seed}': {'randomness.seed': seed, 'train_dataloader.dataset.seed': seed} for seed in (0, 1, 2)
}
