"""What tensors saved for the backward in bfloat16 cost on furniture, three folds, float32.

At the learning rate that ``furniture.py`` chose for Point-PEFT.
"""

_base_ = 'fast_modes_furniture.py'

title = 'Saved tensors in bfloat16 on furniture, three folds, mini Point-MAE'

_saved = {'model.peft.saved_dtype': 'bfloat16'}
_fast = {**_base_._one_block, **_base_._views}
_modes = {'saved in bfloat16': _saved, 'fast': _fast, 'fast, saved in bfloat16': {**_fast, **_saved}}
methods = {
    '_delete_': True,
    'Point-PEFT': _base_._config,
    **{name: dict(config=_base_._config, options=options) for name, options in _modes.items()},
}
