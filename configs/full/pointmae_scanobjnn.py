"""Full fine-tuning of Point-MAE, ScanObjectNN PB_T50_RS."""
parts = dict(backbone='pointmae', task='scanobjnn', method='full')
