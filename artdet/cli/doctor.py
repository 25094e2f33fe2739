"""``artdet doctor``: what is installed, what works, and the line that repairs what does not."""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command(short_help="Check the installation, and say how to repair it.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
def command(as_json: bool) -> int:
    """Check the installation: versions, devices, backends, OpenCV; and the line that repairs what does not work.

    Exits 1 if something that every installation needs does not work.
    """
    from artdet.installation import examine

    findings = examine()
    broken = any(finding.needed and not finding.works for finding in findings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        return int(broken)
    for finding in findings:
        mark = "ok     " if finding.works else "BROKEN " if finding.needed else "absent "
        click.echo(f"{mark} {finding.name:<14} {finding.detail}")
        if finding.repair:
            click.echo(f"{'':23}{finding.repair}")
    return int(broken)
