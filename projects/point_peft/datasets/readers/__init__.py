"""Reading of single clouds and meshes: one module per format, all behind :func:`read_cloud`."""

from .cloud import MESH_POINTS, SUFFIXES, name_seed, read_cloud
from .text import read_text

__all__ = ['MESH_POINTS', 'SUFFIXES', 'name_seed', 'read_cloud', 'read_text']
