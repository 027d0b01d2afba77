"""DAPT on Point-MAE, ScanObjectNN PB_T50_RS, as published: positions before the first block only, a scaled and shifted final norm.

For the authors' checkpoints; convert them first with tools/model_converters/convert_official.py.
"""
parts = dict(backbone='pointmae', task='scanobjnn', method='dapt')
backbone = dict(positions_once=True, drop_path_rate=0.3)
peft = dict(methods={'0': dict(final_norm=True), '1': dict(start=0.0)})
