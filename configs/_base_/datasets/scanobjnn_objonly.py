"""ScanObjectNN OBJ_ONLY."""
_base_ = 'scanobjnn_hardest.py'

train_dataloader = dict(dataset=dict(variant='obj_only'))
val_dataloader = dict(dataset=dict(variant='obj_only'))
test_dataloader = dict(dataset=dict(variant='obj_only'))
