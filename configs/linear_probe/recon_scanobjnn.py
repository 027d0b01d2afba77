"""Linear probing of ReCon, ScanObjectNN PB_T50_RS."""
_base_ = [
    '../_base_/models/recon.py', '../_base_/tuners/linear_probe.py', '../_base_/datasets/scanobjnn_hardest.py',
    '../_base_/schedules/adamw_300e.py', '../_base_/default_runtime.py'
]
model = dict(tuner={{_base_.tuner}}, head=dict(pool=('max', 'mean'), hidden_dims=(), num_classes={{_base_.num_classes}}))
