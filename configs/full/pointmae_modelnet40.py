"""Full fine-tuning of Point-MAE, ModelNet40, 1024 points."""
parts = dict(backbone='pointmae', task='modelnet40', method='full')
