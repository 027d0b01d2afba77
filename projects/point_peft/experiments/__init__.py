"""Comparisons of methods: many trainings from one file, and what they say together."""

from .cells import CellRun, prepare_cell
from .comparison import compare
from .matrix import Cell, Matrix, load_matrix
from .plots import plot_report
from .records import Records
from .report import MethodRow, SettingReport, markdown_report, summarize
from .runner import CellRunner
from .statistics import Interval, mean_and_spread, paired_difference
from .training import find_devices

__all__ = [
    'Cell',
    'CellRun',
    'CellRunner',
    'Interval',
    'Matrix',
    'MethodRow',
    'Records',
    'SettingReport',
    'compare',
    'find_devices',
    'load_matrix',
    'markdown_report',
    'mean_and_spread',
    'paired_difference',
    'plot_report',
    'prepare_cell',
    'summarize',
]
