"""Every method on 393 pieces of furniture, five folds.

The cells of the methods that ``furniture.py`` has are the same: the lines of its ``results.jsonl`` may be taken over.
"""

_base_ = 'furniture.py'

title = 'Every method, furniture, five folds, mini Point-MAE'
methods = _base_._every
