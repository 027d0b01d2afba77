"""DAPT: dynamic adapters, the prompts that they make, scaled and shifted layers; class token and its position are trained too."""
_last_prompt_is_read = dict(peft=dict(methods={'1': dict(last_prompt=True)}))
peft = dict(
    type='PEFTBackbone',
    methods=[
        dict(type='SSF', final_norm=False, std=0.02),
        dict(type='DAPT', hidden_dim=64, dropout=0.2, std=0.02, last_prompt=False),
        dict(type='SelectiveTuning', biases=False, final_norm=False, prefix=True),
    ])
when = {
    'classification': dict(
        model=dict(head=dict(pool=('own_prefix', 'kept_mean', 'max'))), **_last_prompt_is_read),
    'classification and pointm2ae': dict(model=dict(head=dict(pool=('kept_mean', 'mean', 'max')))),
    'classification and (pointgpt_s or pointgpt_b or pointgpt_l)': dict(
        model=dict(head=dict(pool=('cls', 'kept_mean', 'max')))),
    'like_modelnet or few_shot': dict(peft=dict(methods={'1': dict(hidden_dim=72)})),
}
