"""What tensors saved for the backward in bfloat16 cost in accuracy: Point-PEFT and its fast mode, few labels, float32.

Measured on the validation split, as ``ablation.py``.
"""

_base_ = '_few_labels.py'

title = 'Saved tensors in bfloat16, validation split of ModelNet10, 20 labels per class, mini Point-MAE'

_config = 'configs/point_peft/pointmae_mini_modelnet10.py'
_saved = {'model.peft.saved_dtype': 'bfloat16'}
_fast = {
    'model.peft.methods.0.num_prior_layers': 1,
    'default_hooks.views.type': 'TrainingViewsHook',
    'default_hooks.views.num_views': 4,
}
_modes = {'saved in bfloat16': _saved, 'fast': _fast, 'fast, saved in bfloat16': {**_fast, **_saved}}
methods = {
    'Point-PEFT': _config,
    **{name: dict(config=_config, options=options) for name, options in _modes.items()},
}
reference = 'Point-PEFT'
options = {'train_dataloader.dataset': _base_._few, 'test_dataloader.dataset.split': 'val'}
