from pathlib import Path

import pytest

from artdet.data.pairing import Images, paired

HERE, ELSEWHERE = Path("/pictures"), Path("/copy")

CASES = [
    ("nothing", HERE, [], [], {}, 0),
    ("the same place", HERE, ["a.jpg", "b.jpg"], ["b.jpg"], {"b.jpg": "b.jpg"}, 0),
    ("one name, two places", HERE, ["x/a.jpg", "y/a.jpg"], ["y/a.jpg"], {"y/a.jpg": "y/a.jpg"}, 0),
    ("the same place from another root", HERE / "x", ["a.jpg"], ["x/a.jpg"], {"x/a.jpg": "a.jpg"}, 0),
    ("a path with dots", HERE / "x" / "..", ["a.jpg"], ["a.jpg"], {"a.jpg": "a.jpg"}, 0),
    ("by name", ELSEWHERE, ["a.jpg", "b.jpg"], ["t/a.jpg"], {"t/a.jpg": "a.jpg"}, 1),
    ("by the end of the path", ELSEWHERE, ["x/a.jpg", "y/a.jpg"], ["z/y/a.jpg"], {"z/y/a.jpg": "y/a.jpg"}, 1),
    ("names in other folders", ELSEWHERE, ["x/a.jpg"], ["y/a.jpg"], {"y/a.jpg": "x/a.jpg"}, 1),
    ("a name ends like another", ELSEWHERE, ["aa.jpg"], ["a.jpg"], {}, 0),
    ("two in the first have that name", ELSEWHERE, ["x/a.jpg", "y/a.jpg"], ["a.jpg"], {}, 0),
    ("two in the second have that name", ELSEWHERE, ["a.jpg"], ["t/a.jpg", "u/a.jpg"], {}, 0),
    ("what has its place is no copy", HERE, ["a.jpg"], ["a.jpg", "t/a.jpg"], {"a.jpg": "a.jpg"}, 0),
]


@pytest.mark.parametrize(
    ("root", "first", "second", "files", "by_name"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_the_same_images(root, first, second, files, by_name):
    found = paired(Images(root, first), Images(HERE, second))
    assert found.files == files
    assert found.by_name == by_name
