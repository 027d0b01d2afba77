"""PointLoRA (CVPR 2025), constants of the published code; the heads of classifiers read the selected tokens too."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='PointLoRA', rank=8, alpha=8, hidden_dim=32),
        dict(
            type='SelectiveTuning', biases=False, final_norm=False, prefix=True, embedding=True, positions=True),
    ])

_gpt = 'pointgpt_s or pointgpt_b or pointgpt_l'
when = {
    'classification': dict(model=dict(head=dict(pool=('own_prefix', 'max_with_kept')))),
    f'classification and ({_gpt})': dict(model=dict(head=dict(pool=('cls', 'max_with_kept')))),
    'classification and pointm2ae': dict(model=dict(head=dict(pool=('mean', 'max_with_kept')))),
}
