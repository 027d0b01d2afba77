"""ScanObjectNN OBJ_BG."""
_base_ = 'scanobjnn_hardest.py'

train_dataloader = dict(dataset=dict(variant='obj_bg'))
val_dataloader = dict(dataset=dict(variant='obj_bg'))
test_dataloader = dict(dataset=dict(variant='obj_bg'))
