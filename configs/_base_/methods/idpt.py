"""IDPT: a prompt of edge convolutions on the patch tokens, before the last block; class token and its position are trained too."""
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='IDPT', layers=(-1, ), num_neighbors=20, num_convs=3),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True),
    ])
when = {
    'classification': dict(model=dict(head=dict(pool=('own_prefix', 'kept_mean', 'max')))),
    'classification and pointm2ae': dict(model=dict(head=dict(pool=('kept_mean', 'mean', 'max')))),
    'classification and (pointgpt_s or pointgpt_b or pointgpt_l)': dict(
        model=dict(head=dict(pool=('cls', 'kept_mean', 'max')))),
}
