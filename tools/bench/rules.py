"""What the rules of an ensemble bring, or cost, on the validation images of categories: as it is, and changed.

For example:

    python tools/bench/rules.py persons objects --change rules.3.iou=0.7 --change "rules.1.ratio=1 rules.3.iou=1"

Members see every image once, or with --tta in several views; each variant is fused from that. AP50 / AP75 / AP are of
all boxes down to a score of 0.01; precision, recall and F1 are of those that the ensemble shows, by the thresholds of
its members. ARTDET_DATA_DIR must hold the sources of the categories.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from thresholds import HALF, line
from views import validating

from artdet.data.merge import Entry
from artdet.detections import Detections
from artdet.detectors.base import LoadContext
from artdet.devices import cpu_threads
from artdet.ensemble.config import EnsembleFile, load_ensemble
from artdet.ensemble.ensemble import Ensemble, kept_from, load
from artdet.ensemble.rules import RuleSettings
from artdet.metrics.levels import Levels
from artdet.metrics.matching import match
from artdet.taxonomy import Taxonomy
from artdet.training.pictures import Pictures
from artdet.training.validation import batches, measured, paired

LOWEST = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("categories", nargs="+")
    parser.add_argument("--ensemble", default="default")
    parser.add_argument("--tta", action="store_true")
    parser.add_argument("--change", action="append", default=[], help="values of the ensemble, with spaces between")
    options = parser.parse_args()
    taxonomy = Taxonomy.load()
    file = load_ensemble(options.ensemble)
    context = LoadContext(taxonomy, device="cpu", threads=cpu_threads(), folder=file.path.parent)
    low = file.with_min_score(LOWEST)
    looking = load(low.with_tta() if options.tta else low, context)
    rules = file.settings.rules
    variants = {"as it is": file} | {
        f"without {rule.rule}": with_rules(file, (*rules[:number], *rules[number + 1 :]))
        for number, rule in enumerate(rules[:-1])
    }
    variants |= {change: load_ensemble(options.ensemble, change.split()) for change in options.change}
    for category in options.categories:
        entries = validating(category, taxonomy)
        seen = members_on(looking, entries)
        print(f"\n{category}, {len(entries)} images")
        for name, given in variants.items():
            variant = given.with_tta() if options.tta else given
            ensemble = load(variant.with_min_score(LOWEST), context)
            print(f"{name}\n" + text(variant, ensemble, seen, entries, taxonomy), flush=True)


def with_rules(file: EnsembleFile, rules: Sequence[RuleSettings]) -> EnsembleFile:
    return replace(file, settings=file.settings.model_copy(update={"rules": tuple(rules)}))


def members_on(ensemble: Ensemble, entries: Sequence[Entry]) -> list[list[Detections]]:
    """Boxes of every member on every image."""
    seen: list[list[Detections]] = []
    for images in batches(entries, Pictures(max_side=1600)):
        seen += ensemble.detect_members(images)
    return seen


def text(
    file: EnsembleFile,
    ensemble: Ensemble,
    seen: Sequence[Sequence[Detections]],
    entries: Sequence[Entry],
    taxonomy: Taxonomy,
) -> str:
    """A line for each category: average precision of everything, and what is shown."""
    everything = measured([ensemble.fuse(parts) for parts in seen], entries, taxonomy)
    lowest = [kept_from(member) for member in file.settings.members]
    shown = [
        ensemble.fuse([part[part.scores >= least] for part, least in zip(parts, lowest, strict=True)]) for parts in seen
    ]
    levels = Levels(taxonomy)
    classes = levels.classes((entry.sample for entry in entries), "coarse")
    parts = match(paired(shown, entries, levels, "coarse"), classes, ious=HALF).classes
    return "\n".join(
        f"  {row.name:12}{row.ap50:.3f} / {row.ap75:.3f} / {row.ap:.3f}"
        + line(parts[taxonomy.id_of(row.name)], 0.0)[6:]
        for row in everything.classes
        if row.level == "coarse"
    )


if __name__ == "__main__":
    main()
