"""Runs and truths in the formats of other programs: one module each, named in ``table.EXPORTS``."""

from artdet.exports.base import Exported
from artdet.exports.table import EXPORTS, export, exporter
from artdet.exports.truth import export_truth

__all__ = ["EXPORTS", "Exported", "export", "export_truth", "exporter"]
