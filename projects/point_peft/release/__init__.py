"""What published checkpoints of tuned networks compute, quirks included; only the converters import this package.

Configs under ``configs/*/release/`` bring it in with ``custom_imports``.
"""

from .bank import ReleaseBankHook
from .ga_prompt import ReleaseGAPrompt
from .idpt import ReleaseIDPT, ReleaseIDPTPartSegHead
from .point_m2ae import ReleasePointPEFTM2AE
from .point_m2ae_prior import ReleasePointM2AEPrior
from .point_mae import ReleasePointPEFT
from .ppt import ReleasePPT

__all__ = [
    'ReleaseBankHook',
    'ReleaseGAPrompt',
    'ReleaseIDPT',
    'ReleaseIDPTPartSegHead',
    'ReleasePPT',
    'ReleasePointM2AEPrior',
    'ReleasePointPEFT',
    'ReleasePointPEFTM2AE',
]
