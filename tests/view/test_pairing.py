import pytest

from artdet.view.pairing import pairing

from .conftest import record


@pytest.mark.parametrize(
    ("run_files", "truth_files", "elsewhere", "pairs"),
    [
        pytest.param(["a.jpg"], [], False, {}, id="empty truth"),
        pytest.param(["a.jpg", "b.jpg"], ["b.jpg"], False, {"b.jpg": "b.jpg"}, id="same place"),
        pytest.param(["x/a.jpg", "y/a.jpg"], ["y/a.jpg"], False, {"y/a.jpg": "y/a.jpg"}, id="one name, two places"),
        pytest.param(["a.jpg", "b.jpg"], ["t/a.jpg"], True, {"a.jpg": "t/a.jpg"}, id="elsewhere, by name"),
        pytest.param(["x/a.jpg", "y/a.jpg"], ["a.jpg"], True, {}, id="two in the run have that name"),
        pytest.param(["a.jpg"], ["t/a.jpg", "u/a.jpg"], True, {}, id="two in the truth have that name"),
    ],
)
def test_a_record_finds_its_sample(tmp_path, make_run, make_truth, run_files, truth_files, elsewhere, pairs):
    run = make_run([record(file) for file in run_files])
    truth = make_truth(dict.fromkeys(truth_files, ()), root=tmp_path / "other" if elsewhere else None)
    sample_of = pairing(run, truth)
    found = {each.file: sample.file for each in run.records() if (sample := sample_of(each))}
    assert found == pairs
