"""Full fine-tuning of Point-BERT, ShapeNetPart."""
parts = dict(backbone='pointbert', task='shapenetpart', method='full')
