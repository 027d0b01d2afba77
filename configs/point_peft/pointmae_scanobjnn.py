"""Point-PEFT on Point-MAE, ScanObjectNN PB_T50_RS."""
parts = dict(backbone='pointmae', task='scanobjnn', method='point_peft')
