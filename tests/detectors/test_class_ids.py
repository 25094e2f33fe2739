import pytest

from artdet.detectors.base import LoadContext, MemberSettings, class_ids
from artdet.errors import LabelError
from artdet.labelmaps import IGNORED_ID
from artdet.taxonomy import Taxonomy

TAXONOMY = Taxonomy.load()
NAMES = ["person", "horse", "cat", "boat", "kite"]


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (None, ["persons", "horse", "cat", "ship", None]),
        (("persons",), ["persons", None, None, None, None]),
        (("animals",), [None, "horse", "cat", None, None]),
        (("ship", "cat"), [None, None, "cat", "ship", None]),
    ],
    ids=["all", "a category", "its classes", "two classes"],
)
def test_only_leaves_out_other_classes(only, expected):
    settings = MemberSettings(name="a", detector="yolo", label_map="coco", only=only)
    ids = class_ids(settings, NAMES, LoadContext(TAXONOMY))
    assert ids.tolist() == [IGNORED_ID if name is None else TAXONOMY.id_of(name) for name in expected]


def test_only_must_name_classes_of_the_taxonomy():
    settings = MemberSettings(name="a", detector="yolo", label_map="coco", only=("person",))
    with pytest.raises(LabelError, match="Did you mean 'persons'"):
        class_ids(settings, NAMES, LoadContext(TAXONOMY))
