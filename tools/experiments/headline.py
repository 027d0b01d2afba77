"""ModelNet10 with all labels, every method, three seeds.

The learning rate of every method is chosen on the validation split in shorter trainings, the epoch in those reported.
"""

_base_ = '_methods.py'

title = 'ModelNet10, all labels, mini Point-MAE'
_rates = (3e-4, 1e-3, 3e-3, 1e-2)
candidates = [
    {'optim_wrapper.optimizer.lr': rate, 'train_cfg.max_epochs': 2, 'default_hooks.protocol.test_interval': 2}
    for rate in _rates
]
draws = {
    f'seed {seed}': {
        'randomness.seed': seed,
        'train_cfg.max_epochs': 5,
        'default_hooks.protocol.test_interval': 5,
    }
    for seed in (0, 1, 2)
}
