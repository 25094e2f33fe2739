"""A run in the formats of other programs: one module each, named in ``table.EXPORTS``."""

from artdet.exports.base import Exported
from artdet.exports.table import EXPORTS, export

__all__ = ["EXPORTS", "Exported", "export"]
