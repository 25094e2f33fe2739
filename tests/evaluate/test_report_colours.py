"""Lines in the report's colours can be seen on white and on dark paper, also with more categories than the palette."""

from __future__ import annotations

import pytest

from artdet.evaluate.report_colours import PAPER, category_variables, shaded, variables
from artdet.taxonomy import Node, Taxonomy

MANY = Taxonomy(tuple(Node(f"c{index}", f"c{index}") for index in range(15)))


def luminance(colour: tuple[int, ...]) -> float:
    """The definition of WCAG 2, by hand."""
    parts = [value / 255 for value in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("classes", [Taxonomy.load(), MANY], ids=["shipped", "15 categories"])
def test_every_colour_shows_on_its_paper(scheme: str, classes: Taxonomy) -> None:
    made = variables(classes, PAPER[scheme])
    assert len(made) == 3 * len(classes.categories)
    for name, colour in made.items():
        rgb = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
        assert contrast(rgb, PAPER[scheme]) >= 3, name


def test_no_classes_no_colours() -> None:
    assert shaded([], {}) == []


def test_classes_of_one_category_have_their_own_shade(taxonomy: Taxonomy) -> None:
    colours = category_variables(taxonomy)
    assert shaded(["angel", "cow", "mary", "unknown", "persons"], colours) == [
        "var(--k0)",
        "var(--k1)",
        "var(--k0s1)",
        "var(--ink)",
        "var(--k0s2)",
    ]
    known = variables(taxonomy, PAPER["light"])
    assert {name[4:-1] for name in colours.values()} <= set(known)
