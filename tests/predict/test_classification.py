import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from artdet.classifiers.named import LoadOptions
from artdet.errors import InputError, ModelError, RunError
from artdet.predict.choice import chosen
from artdet.predict.classification import Request, labels_of, plan
from artdet.runs import Label, open_run
from artdet.tasks import Task

GENRE = Task(name="genre", kind="label", classes=("portrait", "landscape", "still life"))
STYLE = Task(name="style", kind="label", classes=("Baroque", "Cubism"))
YEAR = Task(name="year", kind="number", mean=1800, deviation=60)
NAMES = [f"p{i:02}.png" for i in range(7)]
OPTIONS = LoadOptions(device="cpu", engine="torch", threads=2)


@pytest.mark.parametrize(
    ("task", "scores", "top_k", "expected"),
    [
        pytest.param(
            GENRE, [0.2, 0.50004, 0.29996], 2, (Label("landscape", 0.5), Label("still life", 0.3)), id="top 2"
        ),
        pytest.param(STYLE, [0.5, 0.5], 9, (Label("Baroque", 0.5), Label("Cubism", 0.5)), id="more than there are"),
        pytest.param(YEAR, [1889.987654], 3, (Label(value=1889.99),), id="number"),
    ],
)
def test_labels_of_an_image(task, scores, top_k, expected):
    assert labels_of(task, np.array(scores, dtype=np.float32), top_k) == expected


@pytest.mark.parametrize(("classes", "kept"), [(2, 2), (30, 30), (31, 3)])
def test_by_default_all_classes_are_kept_unless_they_are_many(classes, kept):
    task = Task(name="artist", kind="label", classes=tuple(f"a{place}" for place in range(classes)))
    scores = np.linspace(0, 1, classes, dtype=np.float32)
    assert [label.label for label in labels_of(task, scores)] == [f"a{classes - 1 - place}" for place in range(kept)]


def test_of_several_labels_all_likely_ones_are_kept():
    task = Task(name="material", kind="labels", classes=("oil", "canvas", "paper", "ink"))
    found = labels_of(task, np.array([0.9, 0.6, 0.1, 0.5], dtype=np.float32), 1)
    assert [label.label for label in found] == ["oil", "canvas", "ink"]


@pytest.fixture
def request_for(make_pictures, make_classifier, tmp_path):
    root = make_pictures(*NAMES)
    model = make_classifier(GENRE, YEAR)

    def made(out="run", **changes):
        options = {"models": [str(model)], "device": "cpu", "engine": "torch", "batch": 3, **changes}
        return Request(paths=[str(root)], out=tmp_path / out, **options)

    return made


def run(request, stop_after=None):
    steps = []

    def progress(count):
        steps.append(count)
        if stop_after is not None and len(steps) == stop_after + 1:
            raise KeyboardInterrupt

    return plan(request).run(progress)


def lines(folder):
    return (folder / "predictions.jsonl").read_bytes().splitlines()


def test_every_image_gets_a_line_of_labels(request_for):
    tally = run(request_for(top_k=2))
    opened = open_run(request_for().out)
    records = list(opened.records())
    assert [record.file for record in records] == NAMES
    assert [record.size for record in records] == [(30 + i % 7, 50 + i % 11) for i in range(7)]
    for record in records:
        assert record.detections == ()
        assert [len(labels) for labels in record.classifications.values()] == [2, 1]
        assert record.classifications["year"][0].value > 1500
    assert opened.info["kind"] == "classify"
    assert [task["name"] for task in opened.info["tasks"]] == ["genre", "year"]
    assert opened.info["models"]["model"]["tasks"] == ["genre", "year"]
    folders = opened.info["model_folders"]
    assert [(Path(folders[name]) / "model.safetensors").is_file() for name in opened.info["models"]] == [True]
    assert tally.images == 7
    assert sum(number for (task, _), number in tally.labels.items() if task == "genre") == 7


@pytest.mark.parametrize("stop_after", [1, 3, 6])
def test_a_stopped_run_goes_on_to_the_same_lines(request_for, stop_after):
    run(request_for("whole"))
    with pytest.raises(KeyboardInterrupt):
        run(request_for(), stop_after)
    assert len(lines(request_for().out)) == stop_after
    assert run(request_for(batch=5)).images == 7 - stop_after
    assert lines(request_for().out) == lines(request_for("whole").out)
    assert run(request_for()).images == 0


def test_a_torn_line_is_made_again(request_for):
    run(request_for())
    path = request_for().out / "predictions.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    assert run(request_for()).images == 1
    assert path.read_bytes() == whole


def test_a_copy_is_not_computed_and_what_is_no_image_is_noted(request_for):
    request = request_for()
    root = plan(request).found.root
    shutil.copy(root / NAMES[0], root / "z.png")
    (root / "broken.png").write_bytes(b"no image")
    tally = run(request)
    assert (tally.images, tally.copies, dict(tally.failures)) == (8, 1, {"not an image": 1})
    by_file = {record.file: record for record in open_run(request.out).records()}
    assert by_file["z.png"].classifications == by_file[NAMES[0]].classifications
    assert by_file["broken.png"].classifications is None


@pytest.mark.parametrize("change", [{"top_k": 1}, {"crops": 5}, {"tasks": ["year"]}, {"engine": "onnx"}])
def test_another_question_needs_another_folder(request_for, change):
    run(request_for())
    with pytest.raises(RunError, match=r"another configuration.*--overwrite"):
        run(request_for(**change))
    run(request_for(**change, overwrite=True))
    assert len(lines(request_for().out)) == 7


def test_a_run_of_the_detector_is_not_gone_on_with(request_for):
    run(request_for())
    path = request_for().out / "run.json"
    info = json.loads(path.read_text())
    path.write_text(json.dumps({**info, "kind": "predict"}))
    with pytest.raises(RunError, match="kind was 'predict' and is now 'classify'"):
        run(request_for())


def test_tasks_are_shared_out_among_models(make_classifier):
    first, second = make_classifier(GENRE, folder="a"), make_classifier(STYLE, YEAR, folder="b", seed=1)
    choice = chosen([str(first), str(second)], [], OPTIONS)
    assert [(task.name, choice.answering[task.name].name) for task in choice.tasks] == [
        ("genre", "a"),
        ("style", "b"),
        ("year", "b"),
    ]
    only = chosen([str(first), str(second)], ["year"], OPTIONS)
    assert [model.name for model in only.models] == ["b"]
    assert only.task_names(only.models[0]) == ["year"]


def test_models_of_the_same_name_are_told_apart(make_classifier, make_pictures, tmp_path):
    first, second = make_classifier(GENRE, folder="x/mine"), make_classifier(STYLE, folder="y/mine")
    request = Request(
        [str(make_pictures("a.png"))],
        models=[str(first), str(second), str(first)],
        out=tmp_path / "run",
        engine="torch",
    )
    run(request)
    told = open_run(request.out).info["models"]
    assert {Path(name).parent.name: marks["tasks"] for name, marks in told.items()} == {"x": ["genre"], "y": ["style"]}
    with pytest.raises(InputError, match="x/mine and .*z/mine both answer 'genre'"):
        chosen([str(first), str(make_classifier(GENRE, folder="z/mine"))], [], OPTIONS)


def test_questions_that_nobody_or_two_answer(make_classifier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first, second = make_classifier(GENRE, folder="a"), make_classifier(GENRE, YEAR, folder="b")
    make_classifier(STYLE, folder="runs/train/cubists")
    with pytest.raises(InputError, match="a and b both answer 'genre'. Name one"):
        chosen([str(first), str(second)], [], OPTIONS)
    assert chosen([str(first), str(second)], ["year"], OPTIONS).models[0].name == "b"
    with pytest.raises(InputError, match="no chosen model answers 'gener'. Did you mean 'genre'"):
        chosen([str(first)], ["gener"], OPTIONS)
    with pytest.raises(InputError, match="The trained model cubists does: --model cubists"):
        chosen([str(first)], ["style"], OPTIONS)
    with pytest.raises(ModelError, match="there is no classifier 'nobody'"):
        chosen(["nobody"], [], OPTIONS)
