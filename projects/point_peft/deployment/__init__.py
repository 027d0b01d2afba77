"""Models as programs that run without this project's Python."""

from .export import Exported, ExportError, compare_with_onnx, export_program, inputs_for, write_onnx

__all__ = ['ExportError', 'Exported', 'compare_with_onnx', 'export_program', 'inputs_for', 'write_onnx']
