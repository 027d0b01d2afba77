"""What the comparisons on the mini Point-MAE have in common."""

_config = 'configs/{}/pointmae_mini_modelnet10.py'
methods = {
    'linear probing': _config.format('linear_probe'),
    'BitFit': _config.format('bitfit'),
    'VPT-deep': _config.format('vpt_deep'),
    'LoRA': _config.format('lora'),
    'Point-PEFT': _config.format('point_peft'),
    'full fine-tuning': _config.format('full'),
}
reference = 'full fine-tuning'
candidates = [{'optim_wrapper.optimizer.lr': rate} for rate in (3e-4, 1e-3, 3e-3, 1e-2)]

_others = {
    name: _config.format(part)
    for name, part in {
        'BitFit': 'bitfit',
        'VPT-shallow': 'vpt_shallow',
        'VPT-deep': 'vpt_deep',
        'adapter': 'adapter',
        'parallel adapter': 'adapter_parallel',
        'SSF': 'ssf',
        'LoRA': 'lora',
        'DoRA': 'dora',
        'IDPT': 'idpt',
        'DAPT': 'dapt',
        'PPT': 'ppt',
        'PointGST': 'pointgst',
        'PointLoRA': 'pointlora',
        'GAPrompt': 'gaprompt',
        'STAG': 'stag',
        'GFT': 'gft',
        'MoST': 'most',
        'GEM': 'gem',
    }.items()
}
