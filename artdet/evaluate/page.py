"""What all reports share: templates, style and script of one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"


def page_environment() -> Environment:
    """Reads templates; an unknown name in one is an error."""
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page_parts() -> dict[str, Markup | str]:
    """``style``, ``script``, and ``script_hash``, by which a browser knows that the script is ours."""
    script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    return {
        "style": Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii"),
    }
