"""Colours are told apart, by normal eyes and by colour-blind ones."""

from itertools import combinations

import cv2
import numpy as np
import pytest

from artdet.palette import category_colours, contrasting
from artdet.taxonomy import Node, Taxonomy

# How each kind of eye sees linear RGB: Machado, Oliveira and Fernandes 2009, severity 1.
EYES = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def seen(colours, eye):
    """CIE Lab by OpenCV: another way than the palette's own Oklab."""
    share = np.array(colours) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4) @ np.array(eye).T
    linear = np.clip(linear, 0, 1)
    back = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(back[None].astype(np.float32), cv2.COLOR_RGB2LAB)[0]


def closest(colours, eye):
    places = seen(colours, eye)
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(places, 2))


@pytest.mark.parametrize("eye", EYES)
def test_six_categories_differ_to_every_eye(eye):
    colours = category_colours(Taxonomy.load())
    assert list(colours) == ["persons", "animals", "produce", "structures", "landforms", "faces"]
    assert closest(list(colours.values()), EYES[eye]) > 15


@pytest.mark.parametrize(("count", "least"), [(2, 25), (7, 25), (8, 25), (24, 15), (50, 5)])
def test_more_categories_have_colours_of_their_own(count, least):
    taxonomy = Taxonomy(tuple(Node(f"c{i}", f"c{i}") for i in range(count)))
    colours = list(category_colours(taxonomy).values())
    assert len(set(colours)) == count
    assert closest(colours, EYES["normal"]) > least


def test_colours_do_not_change_when_a_category_is_added():
    names = [f"c{i}" for i in range(20)]
    shorter, longer = (category_colours(Taxonomy(tuple(Node(n, n) for n in names[:k]))) for k in (10, 20))
    assert {name: longer[name] for name in shorter} == shorter


def test_text_reads_on_every_colour():
    def luminance(colour):
        share = np.array(colour) / 255
        linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    for colour in category_colours(Taxonomy.load()).values():
        dark, light = sorted((luminance(colour), luminance(contrasting(colour))))
        assert (light + 0.05) / (dark + 0.05) > 4.5  # WCAG 2, level AA
