"""PPT on Point-MAE, ScanObjectNN PB_T50_RS, as published: every prompt is a copy of a patch token.

For the authors' checkpoints; convert them first with tools/model_converters/convert_official.py.
"""
parts = dict(backbone='pointmae', task='scanobjnn', method='ppt')
backbone = dict(drop_path_rate=0.3)
peft = dict(methods={'0': dict(group_ratio=1.0, size_ratio=1)})
model = dict(head=dict(activation='gelu'))
