"""ModelNet10 with few labels and more: which methods need fewer?

The learning rate of every method is chosen once, on the validation split with 10 labels per class.
"""

_base_ = ['_methods.py', '_few_labels.py']

title = 'ModelNet10 with few labels, mini Point-MAE'
chosen_in = '10 per class'

_labels = {
    '1 per class': (dict(per_class=1), 100),
    '5 per class': (dict(per_class=5), 100),
    '10 per class': (dict(per_class=10), 40),
    '20 per class': (dict(per_class=20), 20),
    '10 %': (dict(fraction=0.1), 12),
    '100 %': (dict(fraction=1.0), 3),
}
settings = {
    name: {
        'train_dataloader.dataset': dict(_base_._drawn, **drawn),
        'train_dataloader.batch_size': min(10 * drawn.get('per_class', 4), 32),
        'train_cfg.max_epochs': epochs,  # 100 to 130 steps, with all labels 340
        'train_cfg.val_interval': epochs,
        'default_hooks.protocol.test_interval': epochs,
    }
    for name, (drawn, epochs) in _labels.items()
}
