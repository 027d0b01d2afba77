"""ModelNet10 with 1, 5, 10 and 20 labels per class: which methods need fewer?

The learning rate of every method is chosen once per setting on the validation split.
"""

_base_ = ['_methods.py', '_few_labels.py']

title = 'ModelNet10 with few labels, mini Point-MAE'

_epochs = {1: 100, 5: 60, 10: 40, 20: 30}  # so that every setting takes a similar number of steps

settings = {
    f'{count} per class': {
        'train_dataloader.dataset': dict(_base_._few, per_class=count),
        'train_dataloader.batch_size': min(10 * count, 32),
        'train_cfg.max_epochs': epochs,
        'train_cfg.val_interval': epochs,
        'default_hooks.protocol.test_interval': epochs,
    }
    for count, epochs in _epochs.items()
}
