"""What the approximations of Point-PEFT cost on furniture, three folds: a cheaper query, or few views.

At the learning rate that ``furniture.py`` chose for Point-PEFT, whose lines of ``results.jsonl`` may be taken over.
"""

_base_ = 'furniture.py'

title = 'Approximations of Point-PEFT on furniture, three folds, mini Point-MAE'

_config = _base_._every['Point-PEFT']
_one_block = {'model.peft.methods.0.num_prior_layers': 1}
_views = {'default_hooks.views.type': 'TrainingViewsHook', 'default_hooks.views.num_views': 4}
_modes = {
    'its own row for a query in training': {'model.peft.methods.0.training_query': 'bank'},
    'a prior of 32 groups': {'model.peft.methods.0.num_prior_groups': 32},
    'query from 1 block': _one_block,
    '4 cached views': _views,
    'query from 1 block, 4 cached views': {**_one_block, **_views},
}
methods = {
    '_delete_': True,
    'Point-PEFT': _config,
    **{name: dict(config=_config, options=options) for name, options in _modes.items()},
}
reference = 'Point-PEFT'
candidates = []
options = {'optim_wrapper.optimizer.lr': 3e-3}
draws = {'_delete_': True, **{fold: _base_.draws[fold] for fold in ('fold 0', 'fold 1', 'fold 2')}}
