"""Full fine-tuning. The schedules that were published for a backbone are in its part."""
when = {'detection': dict(optim_wrapper=dict(paramwise_cfg=dict(lr_mult=dict(backbone=0.1))))}
