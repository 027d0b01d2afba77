"""What each piece of Point-PEFT is worth: ModelNet10 with 20 labels per class, without it or with another setting.

The settings of the method stay those of the config; nothing is chosen on validation, and the last epoch counts.
"""

title = 'Pieces of Point-PEFT, ModelNet10, 20 labels per class, mini Point-MAE'
compared = 'last'

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
    'a prior of 32 groups': (dict(_prompt, num_prior_groups=32), _bottleneck, _geometry, _biases),
    '18 prompt tokens': (dict(_prompt, num_tokens=18), _bottleneck, _geometry, _biases),
}
methods = {
    'Point-PEFT': _config,
    **{
        name: dict(config=_config, options={'model.peft.methods': list(pieces)})
        for name, pieces in _pieces.items()
    },
}
reference = 'Point-PEFT'

_epochs = 30
_whole = dict(type='ModelNet', data_root='data/ModelNet10', num_classes=10, split='train')
options = {
    'train_dataloader.dataset': dict(_delete_=True, type='FewLabels', per_class=20, dataset=_whole),
    'train_cfg.max_epochs': _epochs,
    'train_cfg.val_interval': _epochs,
    'default_hooks.protocol.test_interval': _epochs,
    'default_hooks.checkpoint.interval': 10,
}
draws = {
    f'draw {seed}': {'randomness.seed': seed, 'train_dataloader.dataset.seed': seed} for seed in (0, 1, 2)
}
