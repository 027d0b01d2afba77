"""Point-PEFT on the mini Point-MAE, the built-in shapes."""
parts = dict(backbone='pointmae_mini', task='shapes', method='point_peft')
