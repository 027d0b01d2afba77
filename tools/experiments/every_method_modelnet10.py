"""Every method on ModelNet10 with 10 labels per class.

The cells of the methods that ``labels.py`` has are the same, so the lines of its ``results.jsonl`` may be taken over.
"""

_base_ = 'labels.py'

title = 'Every method, ModelNet10, 10 labels per class, mini Point-MAE'
methods = _base_._every
settings = {'_delete_': True, '10 per class': _base_.settings['10 per class']}
