"""Fitting methods on the training set before training, and the files of what was fitted, with where it came from."""

from .clouds import fingerprint_clouds
from .describe import wrapper_of
from .files import load_fitted, save_fitted
from .find import attach_fitted, find_fitted
from .fit import check_places, check_ready, fit_method, fitting_set
from .provenance import Provenance, expected_provenance

__all__ = [
    'Provenance',
    'attach_fitted',
    'check_places',
    'check_ready',
    'expected_provenance',
    'find_fitted',
    'fingerprint_clouds',
    'fit_method',
    'fitting_set',
    'load_fitted',
    'save_fitted',
    'wrapper_of',
]
