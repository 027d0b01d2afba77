"""IDPT on Point-MAE, ScanObjectNN PB_T50_RS, as published: the position of the prompt keeps its random values.

For the authors' checkpoints; convert them first with tools/model_converters/convert_official.py.
"""
parts = dict(backbone='pointmae', task='scanobjnn', method='idpt')
peft = dict(methods={'0': dict(train_position=False)})
