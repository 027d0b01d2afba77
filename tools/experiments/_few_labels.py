"""What the comparisons with few labels have in common: three draws of 20 objects per class of ModelNet10.

The last epoch counts, so that no labels are spent on choosing one.
"""

compared = 'last'

_objects = dict(type='ModelNet', data_root='data/ModelNet10', num_classes=10, split='train')
_few = dict(_delete_=True, type='FewLabels', per_class=20, dataset=_objects)

options = {
    'train_cfg.max_epochs': 30,
    'train_cfg.val_interval': 30,
    'default_hooks.protocol.test_interval': 30,
    'default_hooks.checkpoint.interval': 10,
}
draws = {
    f'draw {seed}': {'randomness.seed': seed, 'train_dataloader.dataset.seed': seed} for seed in (0, 1, 2)
}
