"""GAPrompt (ICML 2025), constants of the published code; the heads of classifiers read the shape too."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='GAPrompt', num_tokens=10, num_points=5, perturbation=0.8),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True),
    ])
supports = {
    'not detection':
    'GAPrompt moves the points and adds some, so that the places of its groups are not places in the room, which a detector needs.'
}

_gpt = 'pointgpt_s or pointgpt_b or pointgpt_l'
when = {
    'points_1024': dict(peft=dict(methods={'0': dict(perturbation=0.05)})),
    'classification': dict(model=dict(head=dict(pool=('own_prefix', 'max', 'kept_mean')))),
    f'classification and ({_gpt})': dict(model=dict(head=dict(pool=('cls', 'max', 'kept_mean')))),
    'classification and pointm2ae': dict(model=dict(head=dict(pool=('mean', 'max', 'kept_mean')))),
}
