"""What the released Point-PEFT checkpoints compute, quirks included; only its converter imports this package.

Configs under ``configs/point_peft/release/`` bring it in with ``custom_imports``.
"""

from .point_m2ae import ReleasePointPEFTM2AE
from .point_m2ae_prior import ReleasePointM2AEPrior
from .point_mae import ReleasePointPEFT

__all__ = ['ReleasePointM2AEPrior', 'ReleasePointPEFT', 'ReleasePointPEFTM2AE']
