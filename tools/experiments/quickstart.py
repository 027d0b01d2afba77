"""The built-in objects as a depth camera sees them, 10 labels per class: what is tuning a pre-trained model for?

Few labels and scans, because that is where a pre-trained model is wanted; small enough for five minutes on two CPU
cores. The last epoch counts, so that no labels are spent on choosing one. ``tools/quickstart.py`` runs it.
"""

title = 'Scans of the built-in objects, 10 labels per class'

methods = {
    'linear probing': 'configs/linear_probe/pointmae_mini_shapes.py',
    'Point-PEFT': 'configs/point_peft/pointmae_mini_shapes.py',
    'full fine-tuning': 'configs/full/pointmae_mini_shapes.py',
}
reference = 'full fine-tuning'
compared = 'last'

_epochs = 8
_objects = dict(type='ProceduralShapes', split='train', num_samples=2000, scan=True)
_augments = [
    dict(type='ShufflePoints'),
    dict(type='RandomScale', scale=(0.9, 1.1)),
    dict(type='RandomRotate', axis='y'),
]

options = {
    'train_dataloader.dataset': dict(_delete_=True, type='FewLabels', per_class=10, dataset=_objects),
    'test_dataloader.dataset.scan': True,
    'test_dataloader.dataset.num_samples': 480,
    'data_preprocessor.augments': _augments,
    'val_dataloader': None,
    'val_evaluator': None,
    'val_cfg': None,
    'train_cfg.max_epochs': _epochs,
    'train_cfg.val_interval': _epochs,
    'default_hooks.protocol.test_interval': _epochs,
}
draws = {
    f'draw {seed}': {'randomness.seed': seed, 'train_dataloader.dataset.seed': seed} for seed in (0, 1, 2)
}
