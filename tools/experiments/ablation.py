"""What each piece of Point-PEFT is worth: ModelNet10 with 20 labels per class, without it or with another setting.

Measured on the validation split: defaults are chosen by these rows, and the test split stays unseen. Rates and the
other settings stay those of the config.
"""

_base_ = '_few_labels.py'

title = 'Pieces of Point-PEFT, validation split of ModelNet10, 20 labels per class, mini Point-MAE'

_config = 'configs/point_peft/pointmae_mini_modelnet10.py'
_prompt = dict(type='PointPriorPrompt', num_tokens=10, hidden_dim=8, num_prior_groups=64)
_bottleneck = dict(type='BottleneckAdapter', dim=16, at='mlp', scale=0.7)
_geometry = dict(type='GeometryAwareAdapter', center_ratio=0.5, num_neighbors=16)
_biases = dict(type='SelectiveTuning', biases=True, final_norm=True, prefix=True)

_pieces = {
    'without the bank': (dict(type='VPTDeep', num_tokens=10), _bottleneck, _geometry, _biases),
    'without any prompt': (_bottleneck, _geometry, _biases),
    'without the geometry-aware adapter': (_prompt, _bottleneck, _biases),
    'without the bottleneck adapter': (_prompt, _geometry, _biases),
    'without biases and norms': (_prompt, _bottleneck, _geometry),
    'prompts in all blocks': (dict(_prompt, layers='all'), _bottleneck, _geometry, _biases),
    '2 retrieved rows': (dict(_prompt, num_tokens=4), _bottleneck, _geometry, _biases),
    '16 retrieved rows': (dict(_prompt, num_tokens=18), _bottleneck, _geometry, _biases),
    'without its own row in training': (
        dict(_prompt, leave_out_nearest=True),
        _bottleneck,
        _geometry,
        _biases,
    ),
    'its own row for a query in training': (
        dict(_prompt, training_query='bank'),
        _bottleneck,
        _geometry,
        _biases,
    ),
    'a prior of 32 groups': (dict(_prompt, num_prior_groups=32), _bottleneck, _geometry, _biases),
    'query from 1 block': (dict(_prompt, num_prior_layers=1), _bottleneck, _geometry, _biases),
    'pooled features in a layer norm': (_prompt, _bottleneck, dict(_geometry, pool_norm='layer'), _biases),
}
_views = {'default_hooks.views.type': 'TrainingViewsHook', 'default_hooks.views.num_views': 4}
methods = {
    'Point-PEFT': _config,
    **{
        name: dict(config=_config, options={'model.peft.methods': list(pieces)})
        for name, pieces in _pieces.items()
    },
    '4 cached views': dict(config=_config, options=_views),
    'query from 1 block, 4 cached views': dict(
        config=_config, options={'model.peft.methods': list(_pieces['query from 1 block']), **_views}
    ),
}
reference = 'Point-PEFT'
options = {'train_dataloader.dataset': _base_._few, 'test_dataloader.dataset.split': 'val'}
