"""What a config may have at its top."""

from __future__ import annotations

import inspect

from mmengine.runner import Runner

SECTIONS = (
    *(name for name in inspect.signature(Runner.__init__).parameters if name not in ('self', 'cfg')),
    'activation_checkpointing',
    'auto_scale_lr',
    'compile',
    'custom_imports',
    'default_scope',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
)
"""Keys that MMEngine or the tools read."""

PLACES = {
    'max_epochs': 'train_cfg.max_epochs',
    'max_iters': 'train_cfg.max_iters',
    'val_interval': 'train_cfg.val_interval',
    'lr': 'optim_wrapper.optimizer.lr',
    'weight_decay': 'optim_wrapper.optimizer.weight_decay',
    'batch_size': 'train_dataloader.batch_size',
    'num_workers': 'train_dataloader.num_workers',
    'seed': 'randomness.seed',
}
"""Where the settings are that people look for at the top."""

OTHER_NAMES = {
    'epochs': 'max_epochs',
    'num_epochs': 'max_epochs',
    'n_epochs': 'max_epochs',
    'total_epochs': 'max_epochs',
    'iters': 'max_iters',
    'learning_rate': 'lr',
    'base_lr': 'lr',
    'wd': 'weight_decay',
    'bs': 'batch_size',
    'samples_per_gpu': 'batch_size',
    'workers': 'num_workers',
    'workers_per_gpu': 'num_workers',
    'random_seed': 'seed',
}
"""What other programs call them."""

RENAMED = {
    'resume_from': 'load_from and resume=True',
    'optimizer': 'optim_wrapper.optimizer',
    'optimizer_config': 'optim_wrapper.clip_grad',
    'lr_config': 'param_scheduler',
    'runner': 'train_cfg',
    'data': 'train_dataloader, val_dataloader and test_dataloader',
    'evaluation': 'val_evaluator and train_cfg.val_interval',
    'checkpoint_config': 'default_hooks.checkpoint',
    'log_config': 'default_hooks.logger',
    'device': 'the flag --device',
    'gpus': 'tools/dist_train.sh',
}
"""Sections of earlier versions of MMEngine's configs, and flags."""

FORMER_HOOKS = {'memory_bank': 'fit'}
"""Hooks of earlier versions of this project, by their names in ``default_hooks``."""

FORMER_TYPES = {'MemoryBankHook': 'FitHook'}
"""What they were called in the registries."""
