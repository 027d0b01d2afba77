"""The runtime of few-shot classification with small backbones, where testing takes as long as training."""
_base_ = 'few_shot_runtime.py'
default_hooks = dict(protocol=dict(test_interval=10))
