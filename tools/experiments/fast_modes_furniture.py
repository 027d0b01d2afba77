"""What the approximations of Point-PEFT cost on furniture: a query that is cheaper, or none in training, or few views.

At the learning rate that ``furniture.py`` chose for Point-PEFT, whose lines of ``results.jsonl`` may be taken over.
Queries are of a half and a quarter of the blocks. The sixteen views are seen again in the last four epochs alone.
"""

_base_ = 'furniture.py'

title = 'Approximations of Point-PEFT on furniture, five folds, mini Point-MAE'

_config = _base_._every['Point-PEFT']
_views = {'default_hooks.views.type': 'TrainingViewsHook'}
_modes = {
    'query from the bank': {'model.peft.methods.0.training_query': 'bank'},
    'a prior of 32 groups': {'model.peft.methods.0.num_prior_groups': 32},
    'query from 2 blocks': {'model.peft.methods.0.num_prior_layers': 2},
    'query from 1 block': {'model.peft.methods.0.num_prior_layers': 1},
    '4 cached views': {**_views, 'default_hooks.views.num_views': 4},
    '16 cached views': {**_views, 'default_hooks.views.num_views': 16},
}
methods = {
    '_delete_': True,
    'Point-PEFT': _config,
    **{name: dict(config=_config, options=options) for name, options in _modes.items()},
}
reference = 'Point-PEFT'
candidates = []
options = {'optim_wrapper.optimizer.lr': 3e-3}
