"""Full fine-tuning of Point-BERT, ScanObjectNN PB_T50_RS, 1024 points."""
parts = dict(backbone='pointbert', task='scanobjnn', method='full')
