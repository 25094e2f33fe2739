"""CSV files, read back with the csv module."""

import csv

import pytest

from artdet.exports import csv_table
from artdet.runs import Box, Record

HEAD = [
    "file",
    "sha256",
    "width",
    "height",
    "label",
    "category",
    "iconclass",
    "score",
    "x1",
    "y1",
    "x2",
    "y2",
    "source",
]


def rows(path):
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream))


def shown(name):
    """How a name that is not valid text appears."""
    return name.encode("utf-8", "backslashreplace").decode()


def test_empty_run_has_heads_only(run_of):
    boxes, failures = run_of().export("csv").paths
    assert rows(boxes) == [HEAD]
    assert rows(failures) == [["file", "cause", "message"]]


def test_round_trip(made, readable):
    head, *body = rows(made.export("csv").paths[0])
    assert head == HEAD
    table = [dict(zip(HEAD, row, strict=True)) for row in body]
    expected = [(entry, box) for entry in readable for box in entry.detections or (None,)]
    assert len(table) == len(expected)
    for row, (entry, box) in zip(table, expected, strict=True):
        assert row["file"] == shown(entry.file)
        assert (row["sha256"], row["height"], row["width"]) == (entry.sha256, *map(str, entry.size))
        if box is None:
            assert [row[name] for name in HEAD[4:]] == [""] * 9
            continue
        assert (row["label"], float(row["score"]), row["source"]) == (box.label, box.score, box.source)
        assert [float(row[name]) for name in ("x1", "y1", "x2", "y2")] == pytest.approx(box.box, abs=0.01)


@pytest.mark.parametrize(
    ("label", "category", "iconclass"),
    [("mary", "persons", "11F"), ("saint_sebastian", "persons", "11H(SEBASTIAN)"), ("animals", "animals", "")],
)
def test_category_and_notation(run_of, label, category, iconclass):
    made = run_of(Record("a.jpg", "00", (3, 4), (Box(label, 0.5, (0, 0, 1, 1), "x"),)))
    assert rows(made.export("csv").paths[0])[1][4:7] == [label, category, iconclass]


def test_failures_have_a_file_of_their_own(made):
    assert rows(made.export("csv").paths[1])[1:] == [
        ["broken.jpg", "truncated", 'ends early, "half" read'],
        ["caf\\udce8\n.jpg", "not an image", "no picture"],
    ]


def test_spreadsheets_see_utf8(made):
    for path in made.export("csv").paths:
        assert path.read_bytes().startswith(b"\xef\xbb\xbffile,")
        assert path.read_bytes().endswith(b"\r\n")
        path.read_text(encoding="utf-8")


def test_more_rows_than_excel_shows_are_said(made, monkeypatch):
    monkeypatch.setattr(csv_table, "EXCEL_ROWS", 11)
    assert made.export("csv").notes == ()
    monkeypatch.setattr(csv_table, "EXCEL_ROWS", 10)
    assert made.export("csv").notes == ("boxes.csv has 11 rows, but Excel shows only the first 10. Use --min-score.",)
