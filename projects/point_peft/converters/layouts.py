"""All kinds of published files."""

from __future__ import annotations

from . import act, dapt, ga_prompt, idpt, point_bert, point_gpt, point_lora, point_m2ae, point_mae, ppt, recon
from .layout import Layout

LAYOUTS: tuple[Layout, ...] = (
    *point_mae.LAYOUTS,
    *act.LAYOUTS,
    *recon.LAYOUTS,
    *point_bert.LAYOUTS,
    *point_m2ae.LAYOUTS,
    *point_gpt.LAYOUTS,
    *dapt.LAYOUTS,
    *ga_prompt.LAYOUTS,
    *idpt.LAYOUTS,
    *point_lora.LAYOUTS,
    *ppt.LAYOUTS,
)
