"""What the comparisons with few labels have in common: three draws of 20 objects per class of ModelNet10.

The last epoch counts, so that no labels are spent on choosing one.
"""

compared = 'last'

_objects = dict(type='ModelNet', data_root='data/ModelNet10', num_classes=10, split='train')
_drawn = dict(_delete_=True, type='FewLabels', dataset=_objects)
_few = dict(_drawn, per_class=20)

options = {
    'train_cfg.max_epochs': 20,
    'train_cfg.val_interval': 20,
    'default_hooks.protocol.test_interval': 20,
    'default_hooks.checkpoint.interval': 10,
}
draws = {
    f'draw {seed}': {'randomness.seed': seed, 'train_dataloader.dataset.seed': seed} for seed in (0, 1, 2)
}
