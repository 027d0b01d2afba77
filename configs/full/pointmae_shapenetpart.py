"""Full fine-tuning of Point-MAE, ShapeNetPart."""
parts = dict(backbone='pointmae', task='shapenetpart', method='full')
