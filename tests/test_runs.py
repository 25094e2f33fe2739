import json
import os

import numpy as np
import pytest

from artdet.detections import Detections
from artdet.errors import RunError
from artdet.runs import PREDICTIONS_FILE, RUN_FILE, Box, Label, Record, boxes_of, detections_of, open_run, write_info
from artdet.taxonomy import Taxonomy

BOX = Box("horse", 0.75, (1.5, 2.0, 30.25, 41.0), "animals+coco")
SHA = "ab" * 32
PORTRAIT, LANDSCAPE, YEAR = Label("portrait", 0.81), Label("landscape", 0.1), Label(value=1890.0)

RECORDS = [
    pytest.param(Record("a.jpg", SHA, (50, 40)), id="no boxes"),
    pytest.param(Record("a.jpg", SHA, (50, 40), (BOX, BOX), warnings=("cut short",)), id="boxes and a warning"),
    pytest.param(Record("a.jpg", SHA, (50, 40), (BOX,), members={"animals": (BOX,), "coco": ()}), id="members"),
    pytest.param(Record("a.jpg", SHA, (50, 40), classifications={}), id="no tasks"),
    pytest.param(Record("a.jpg", SHA, (50, 40), classifications={"material": ()}), id="no labels"),
    pytest.param(
        Record("a.jpg", SHA, (50, 40), classifications={"genre": (PORTRAIT, LANDSCAPE), "year": (YEAR,)}),
        id="classifications",
    ),
    pytest.param(Record("x.jpg", None, None, error=("truncated", "it ends early")), id="error"),
    pytest.param(Record('Dürer "Löwe"\n.jpg', SHA, (5, 4), (BOX,)), id="odd name"),
    pytest.param(Record(os.fsdecode(b"caf\xe9.jpg"), SHA, (5, 4)), id="name that is no text"),
]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_comes_back_from_its_line(record):
    line = record.as_line()
    assert "\n" not in line
    assert Record.from_line(line.encode("utf-8")) == record


def test_the_fixed_shape_of_a_line():
    data = json.loads(Record("a.jpg", SHA, (50, 40), (BOX,)).as_line())
    assert data == {
        "file": "a.jpg",
        "sha256": SHA,
        "height": 50,
        "width": 40,
        "detections": [
            {"label": "horse", "score": 0.75, "box": [1.5, 2.0, 30.25, 41.0], "source": "animals+coco"},
        ],
    }


def test_the_fixed_shape_of_classifications():
    record = Record("a.jpg", SHA, (50, 40), classifications={"genre": (PORTRAIT, LANDSCAPE), "year": (YEAR,)})
    data = json.loads(record.as_line())
    assert data["classifications"] == {
        "genre": [{"label": "portrait", "score": 0.81}, {"label": "landscape", "score": 0.1}],
        "year": [{"value": 1890.0}],
    }
    assert data["detections"] == []


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"label": "portrait"}, id="class without score"),
        pytest.param({"label": "portrait", "score": 0.5, "value": 3.0}, id="class and number"),
    ],
)
def test_what_is_no_answer_is_refused(answer):
    line = {"file": "a.jpg", "sha256": SHA, "height": 5, "width": 4, "classifications": {"genre": [answer]}}
    with pytest.raises(ValueError, match="an answer is"):
        Record.from_line(json.dumps(line))


def test_a_line_of_an_older_artdet_is_read():
    line = {"file": "a.jpg", "sha256": SHA, "height": 5, "width": 4, "detections": [BOX.as_json()]}
    assert Record.from_line(json.dumps(line)) == Record("a.jpg", SHA, (5, 4), (BOX,), classifications=None)


@pytest.mark.parametrize("line", ["", "{", "[]", "7", '{"file": "a"}', '{"file": "a", "sha256": null, "height": 3}'])
def test_what_is_no_record_is_refused(line):
    with pytest.raises(ValueError):  # noqa: PT011 - json's own error is one too
        Record.from_line(line)


def test_sources_are_named_and_numbers_rounded():
    taxonomy = Taxonomy.load()
    found = Detections.of(
        [[1.23456, 2, 3, 4]], [0.123456], [taxonomy.id_of("duck")], (10, 20), sources=np.array([0b101])
    )
    (box,) = boxes_of(found, taxonomy, ["a", "b", "c"])
    assert box == Box("duck", 0.1235, (1.23, 2.0, 3.0, 4.0), "a+c")
    back = detections_of([box], (10, 20), taxonomy)
    assert back.labels.tolist() == [taxonomy.id_of("duck")]
    np.testing.assert_allclose(back.boxes, found.boxes, atol=0.006)


def test_a_torn_last_line_is_passed_over(tmp_path):
    write_info(tmp_path, {"root": "/pictures"})
    whole = Record("a.jpg", SHA, (50, 40), (BOX,))
    (tmp_path / PREDICTIONS_FILE).write_bytes((whole.as_line() + "\n" + whole.as_line()[:-7]).encode())
    assert list(open_run(tmp_path).records()) == [whole]


def test_a_damaged_line_in_the_middle_is_named(tmp_path):
    write_info(tmp_path, {"root": "/pictures"})
    (tmp_path / PREDICTIONS_FILE).write_text('{"file"\n' + Record("a.jpg", SHA, (5, 4)).as_line() + "\n")
    with pytest.raises(RunError, match="line 1 is damaged"):
        list(open_run(tmp_path).records())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(None, "not a run folder", id="absent"),
        pytest.param("{", "is damaged", id="torn"),
        pytest.param("[]", "is damaged", id="list"),
        pytest.param('{"format": 99}', "has format 99", id="newer"),
    ],
)
def test_what_is_no_run_is_a_sentence(tmp_path, text, message):
    if text is not None:
        (tmp_path / RUN_FILE).write_text(text)
    with pytest.raises(RunError, match=message):
        open_run(tmp_path)
