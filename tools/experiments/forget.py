"""What tuning on furniture leaves of ModelNet10: bit for bit everything where the methods can be taken off.

A linear classifier of ModelNet10 on the pre-trained backbone is asked again after the tuning on one fold of furniture.
"""

_base_ = 'furniture.py'

title = 'Furniture, and what is left of ModelNet10, mini Point-MAE'

methods = {
    '_delete_': True,
    'LoRA': _base_._every['LoRA'],
    'Point-PEFT': _base_._every['Point-PEFT'],
    'full fine-tuning': _base_._every['full fine-tuning'],
}
candidates = []  # accuracy on furniture is the matter of furniture.py

_other = dict(type='ModelNet', data_root='data/ModelNet10', num_classes=10)
options = {
    'custom_hooks': [
        dict(type='ForgettingHook', train=dict(_other, split='trainval'), test=dict(_other, split='test'))
    ],
}
