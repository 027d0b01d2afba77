"""Few-shot classification: no validation, so nothing decides which epoch is best; few files per fold."""
_base_ = 'classifier.py'
tags = ('few_shot', 'points_1024')
default_hooks = dict(
    logger=dict(interval=50),
    protocol=dict(test_interval=1),  # papers report the best of all epochs on the queries
    checkpoint=dict(interval=50, max_keep_ckpts=1, save_best=None))
