import json
from pathlib import Path

import pytest

from artdet.ensemble.config import load_ensemble
from artdet.errors import RunError
from artdet.predict.identity import describe, prepare
from artdet.runs import PREDICTIONS_FILE, RUN_FILE, open_run


def described(taxonomy, **changes):
    arguments = {
        "root": Path("/pictures"),
        "file": load_ensemble("default"),
        "models": {"persons": {"weights_sha256": "aa", "engine": "torch"}},
        "taxonomy": taxonomy,
        "max_pixels": 10**9,
        "min_score": None,
        "keep_members": False,
        "device": "cpu",
        **changes,
    }
    return describe(**arguments)


def test_a_run_says_what_ran(tmp_path, taxonomy):
    folder = tmp_path / "deep" / "run"
    prepare(folder, described(taxonomy), overwrite=False)
    info = open_run(folder).info
    assert info["taxonomy_sha256"] == taxonomy.sha256
    assert info["ensemble"]["members"][0]["weights"] == "persons"
    assert info["models"]["persons"]["weights_sha256"] == "aa"
    assert {"artdet", "python", "torch", "numpy"} <= set(info["versions"])


def test_the_same_configuration_goes_on_whatever_the_time_and_device(tmp_path, taxonomy):
    prepare(tmp_path / "run", described(taxonomy), overwrite=False)
    (tmp_path / "run" / PREDICTIONS_FILE).write_text("kept")
    before = (tmp_path / "run" / RUN_FILE).read_bytes()
    prepare(tmp_path / "run", described(taxonomy, device="cuda") | {"started": "later"}, overwrite=False)
    assert (tmp_path / "run" / RUN_FILE).read_bytes() == before


def test_a_run_from_before_there_were_views_goes_on(tmp_path, taxonomy):
    info = described(taxonomy)
    del info["ensemble"]["members"][0]["tta"]
    prepare(tmp_path, info, overwrite=False)
    (tmp_path / PREDICTIONS_FILE).write_text("kept")
    prepare(tmp_path, described(taxonomy), overwrite=False)
    assert (tmp_path / PREDICTIONS_FILE).read_text() == "kept"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"root": Path("/other")}, "root was '/pictures' and is now '/other'", id="images"),
        pytest.param({"min_score": 0.5}, "min_score was None and is now 0.5", id="score"),
        pytest.param(
            {"models": {"persons": {"weights_sha256": "bb", "engine": "torch"}}},
            "models.persons.weights_sha256 was 'aa' and is now 'bb'",
            id="weights",
        ),
        pytest.param(
            {"file": load_ensemble("default", ["members.0.image_size=640"])},
            "ensemble.members.0.image_size was 512 and is now 640",
            id="ensemble",
        ),
        pytest.param(
            {"file": load_ensemble("default").with_tta()},
            "ensemble.members.0.tta was None and is now {'flip': True",
            id="views",
        ),
        pytest.param({"keep_members": True}, "keep_members was False and is now True", id="members"),
    ],
)
def test_another_configuration_is_refused_with_the_reason(tmp_path, taxonomy, changes, reason):
    prepare(tmp_path, described(taxonomy), overwrite=False)
    (tmp_path / PREDICTIONS_FILE).write_text("kept")
    with pytest.raises(RunError) as caught:
        prepare(tmp_path, described(taxonomy, **changes), overwrite=False)
    assert reason in str(caught.value)
    assert "--overwrite" in str(caught.value)
    assert (tmp_path / PREDICTIONS_FILE).read_text() == "kept"
    prepare(tmp_path, described(taxonomy, **changes), overwrite=True)
    assert not (tmp_path / PREDICTIONS_FILE).exists()


def test_a_run_without_a_line_does_not_stand_in_the_way(tmp_path, taxonomy):
    prepare(tmp_path, described(taxonomy), overwrite=False)
    prepare(tmp_path, described(taxonomy, min_score=0.5), overwrite=False)
    assert open_run(tmp_path).info["min_score"] == 0.5


def test_overwriting_takes_what_runs_made_and_nothing_else(tmp_path, taxonomy):
    prepare(tmp_path, described(taxonomy), overwrite=False)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_text("drawn")
    (tmp_path / "notes.txt").write_text("mine")
    prepare(tmp_path, described(taxonomy), overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", RUN_FILE]


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_other_things_is_refused_and_left_alone(tmp_path, taxonomy, overwrite):
    (tmp_path / "scan.tif").write_text("precious")
    with pytest.raises(RunError, match=r"not a run folder, and it is not empty \(scan\.tif\)"):
        prepare(tmp_path, described(taxonomy), overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["scan.tif"]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path, taxonomy):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        prepare(tmp_path / "file" / "run", described(taxonomy), overwrite=False)


def test_a_damaged_run_file_is_a_sentence(tmp_path, taxonomy):
    (tmp_path / RUN_FILE).write_text(json.dumps({"format": 1})[:-1])
    (tmp_path / PREDICTIONS_FILE).write_text("kept")
    with pytest.raises(RunError, match="is damaged"):
        prepare(tmp_path, described(taxonomy), overwrite=False)
