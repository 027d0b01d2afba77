"""Point-PEFT as described against what its released code computes: what do repaired gather and geometry change?

Same folds, budget and schedule; docs/paper_vs_release.md lists what differs. Predictions of the release depend on the
batch, so its accuracy hangs on the batch size and the order of the test set as well.
"""

_base_ = 'furniture.py'

title = 'Point-PEFT as described and as released, furniture, five folds, mini Point-MAE'

methods = {
    '_delete_': True,
    'Point-PEFT': _base_._every['Point-PEFT'],
    'Point-PEFT, released code': 'configs/point_peft/release/pointmae_mini_modelnet10.py',
}
reference = 'Point-PEFT, released code'
