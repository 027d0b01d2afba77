"""Full fine-tuning of the mini Point-MAE, the built-in shapes."""
parts = dict(backbone='pointmae_mini', task='shapes', method='full')
