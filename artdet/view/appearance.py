"""How the App shows a dataset of ours: saved views, colours as in drawn pictures, what the sidebar holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from artdet.palette import category_colours
from artdet.taxonomy import Taxonomy
from artdet.view.evaluation import KEY, Evaluated
from artdet.view.fields import BOOKKEEPING
from artdet.view.writer import NO_BOXES

ENOUGH = 3
"""A class has views of its own misses and false alarms from so many on."""
_MOST = 100
_LOW = 0.5
_VIEWS_KEY = "artdet_views"


def save_views(dataset: Any, evaluated: Evaluated | None) -> list[str]:
    """Saves the views that say where a run is right and wrong, in place of those that were saved before.

    Views of other names are left alone.

    Returns:
        Their names.
    """
    return replace_views(dataset, [*_views_of_results(dataset, evaluated), *_views_of_boxes(dataset)])


def replace_views(dataset: Any, views: Iterable[tuple[str, Any]]) -> list[str]:
    """Saves views by their names in place of those that were saved by this before; gives their names."""
    views = list(views)
    for name in dataset.info.get(_VIEWS_KEY, []):
        if dataset.has_saved_view(name):
            dataset.delete_saved_view(name)
    saved = []
    for name, view in views:
        if not dataset.has_saved_view(name):
            dataset.save_view(name, view)
            saved.append(name)
    dataset.info[_VIEWS_KEY] = saved
    dataset.save()
    return saved


def set_appearance(dataset: Any, taxonomy: Taxonomy) -> None:
    """Sets colours by label, the category's as in drawn pictures, and the order of the sidebar."""
    import fiftyone

    schema = list(dataset.get_field_schema())
    boxes = [name for name in ("truth", "predictions") if name in schema]
    members = [name for name in schema if name.startswith("member_")]
    colours = {name: "#{:02x}{:02x}{:02x}".format(*rgb) for name, rgb in category_colours(taxonomy).items()}
    values = [{"value": node.name, "color": colours[node.category]} for node in taxonomy.nodes]
    dataset.app_config.color_scheme = fiftyone.ColorScheme(
        color_by="value",
        color_pool=sorted(set(colours.values())),
        fields=[{"path": name, "colorByAttribute": "label", "valueColors": values} for name in boxes + members],
    )
    dataset.app_config.sidebar_groups = _sidebar(schema, boxes, members)
    dataset.app_config.active_fields = fiftyone.core.odm.dataset.ActiveFields(paths=boxes)
    dataset.save()


def _sidebar(schema: Sequence[str], boxes: Sequence[str], members: Sequence[str]) -> list[Any]:
    import fiftyone

    results = [f"{KEY}_{suffix}" for suffix in ("tp", "fp", "fn") if f"{KEY}_{suffix}" in schema]
    basic = ["id", "filepath", "created_at", "last_modified_at"]
    books = [name for name in BOOKKEEPING if name in schema]
    named = {*boxes, *members, *results, *basic, *books, "tags", "metadata"}
    facts = [name for name in schema if name not in named]
    group = fiftyone.SidebarGroupDocument
    return [
        group(name="tags"),
        group(name="labels", paths=list(boxes)),
        *([group(name="members of the ensemble", paths=list(members))] if members else []),
        *([group(name="evaluation", paths=results)] if results else []),
        *([group(name="work", paths=facts)] if facts else []),
        group(name="metadata", paths=["metadata.width", "metadata.height"], expanded=False),
        group(name="file", paths=[*basic, *books], expanded=False),
    ]


def _views_of_results(dataset: Any, evaluated: Evaluated | None) -> Iterator[tuple[str, Any]]:
    if evaluated is None:
        return
    from fiftyone import ViewField

    patches = dataset.to_evaluation_patches(KEY)
    counts = patches.match(ViewField("crowd") != True)  # noqa: E712 - an expression of the database
    for name, kind in (("hits", "tp"), ("false alarms", "fp"), ("misses", "fn")):
        yield name, counts.match(ViewField("type") == kind)
    sides = (("missed", "fn", "truth", evaluated.missed), ("false", "fp", "predictions", evaluated.false))
    for word, kind, field, numbers in sides:
        for label, number in sorted(numbers.items()):
            if number >= ENOUGH:
                has = ViewField(f"{field}.detections.compared_as").contains(label)
                yield f"{word} {label}", counts.match((ViewField("type") == kind) & has)


def _views_of_boxes(dataset: Any) -> Iterator[tuple[str, Any]]:
    from fiftyone import ViewField

    number = ViewField("predictions.detections").length()
    if dataset.bounds("agreement")[0] is not None:
        low = dataset.filter_labels("predictions", ViewField("agreement") <= _LOW)
        yield "low agreement between members", low.sort_by("agreement")
    yield "images without boxes", dataset.match_tags(NO_BOXES)
    yield "most boxes", dataset.sort_by(number, reverse=True).limit(_MOST)
