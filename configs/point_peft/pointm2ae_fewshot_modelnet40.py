"""Point-PEFT on Point-M2AE, few-shot on ModelNet40, published folds."""
_base_ = [
    '../_base_/models/pointm2ae_modelnet.py', '../_base_/tuners/point_peft_m2ae.py',
    '../_base_/datasets/fewshot_modelnet40.py', '../_base_/schedules/fewshot_150e.py', '../_base_/few_shot_runtime.py'
]
model = dict(backbone=dict(stage_norms=True), tuner={{_base_.tuner}}, head=dict(num_classes={{_base_.num_classes}}))
