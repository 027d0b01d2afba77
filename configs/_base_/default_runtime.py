"""Everything that is the same for all runs.

Hooks are named, so that a config can change or drop one:
``default_hooks=dict(protocol=dict(test_interval=10), delta=None)``.
"""
default_scope = 'point_peft'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='SparedLoggerHook', interval=50),
    finite=dict(type='FiniteHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    epoch_seed=dict(type='EpochSeedHook'),
    resume_schedule=dict(type='ResumeScheduleHook'),
    sync_batch_norm=dict(type='SyncBatchNormHook'),
    trainable=dict(type='TrainableParametersHook'),
    protocol=dict(type='ProtocolHook', test_interval=1),
    check_classes=dict(type='CheckClassesHook'),
    fit=dict(type='FitHook'),
    evaluation_cache=dict(type='EvaluationCacheHook'),
    delta=dict(type='DeltaCheckpointHook'),
    # Two files, so that a damaged one does not cost the run.
    checkpoint=dict(
        type='AtomicCheckpointHook',
        interval=1,
        max_keep_ckpts=2,
        save_best='overall_accuracy',
        rule='greater'))

randomness = dict(seed=0)
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl', timeout=1800))

log_processor = dict(type='LogProcessor', window_size=10, by_epoch=True)
log_level = 'INFO'
visualizer = dict(type='SparedVisualizer', vis_backends=[dict(type='LocalVisBackend')])

load_from = None
resume = False
