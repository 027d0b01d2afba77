"""What the comparisons on the mini Point-MAE have in common."""

_parts = {
    'linear probing': 'linear_probe',
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
    'Point-PEFT': 'point_peft',
    'full fine-tuning': 'full',
}
_every = {name: f'configs/{part}/pointmae_mini_modelnet10.py' for name, part in _parts.items()}
_four = ('linear probing', 'LoRA', 'Point-PEFT', 'full fine-tuning')

methods = {name: path for name, path in _every.items() if name in (*_four, 'BitFit', 'VPT-deep')}
_main = {name: path for name, path in _every.items() if name in _four}
reference = 'full fine-tuning'
candidates = [{'optim_wrapper.optimizer.lr': rate} for rate in (3e-4, 1e-3, 3e-3, 1e-2)]
