"""Full fine-tuning of Point-M2AE, ScanObjectNN PB_T50_RS."""
parts = dict(backbone='pointm2ae', task='scanobjnn', method='full')
