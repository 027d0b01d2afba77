"""ModelNet10 with 10 labels per class and with all: six methods, and Point-PEFT as its released code has it.

The cells of the methods that ``labels.py`` has are the same, so the lines of its ``results.jsonl`` may be taken over.
"""

_base_ = 'labels.py'

title = 'ModelNet10, few labels and all, mini Point-MAE'
methods = {'Point-PEFT, released code': 'configs/point_peft/release/pointmae_mini_modelnet10.py'}
settings = {'_delete_': True, **{name: _base_.settings[name] for name in ('10 per class', '100 %')}}
