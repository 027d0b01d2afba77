"""ModelNet10 with all labels, every method, three seeds.

The learning rate of every method is chosen on the validation split, and so is the epoch.
"""

_base_ = '_methods.py'

title = 'ModelNet10, all labels, mini Point-MAE'
options = {'train_cfg.max_epochs': 5, 'default_hooks.protocol.test_interval': 5}
seeds = (0, 1, 2)
