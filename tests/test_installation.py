"""What `artdet doctor` says about FiftyOne's database."""

import pytest

from artdet import installation


@pytest.mark.parametrize(
    ("answer", "works", "words"),
    [
        pytest.param((0, "db version v6.0.5\nBuild Info: {}\n"), True, "6.0.5: FiftyOne's database", id="works"),
        pytest.param((1, "Traceback\nartdet.errors.MissingBackend: Browsing needs mongod.\n"), False,
                     "does not run: MissingBackend: Browsing needs mongod.", id="absent"),
        pytest.param((1, ""), False, "does not run: it crashes", id="crash"),
    ],
)  # fmt: skip
def test_the_database_of_fiftyone(monkeypatch, answer, works, words):
    monkeypatch.setattr(installation, "_version", lambda name: "1.0")
    monkeypatch.setattr(installation, "_run", lambda code: answer)
    (finding,) = installation._database()
    assert (finding.works, finding.needed) == (works, False)
    assert words in finding.detail
    assert finding.repair == ("" if works else installation.MONGODB)


def test_without_fiftyone_nothing_is_said_about_its_database(monkeypatch):
    monkeypatch.setattr(installation, "_version", lambda name: None)
    assert installation._database() == []


def test_the_real_one():
    pytest.importorskip("fiftyone", reason="needs FiftyOne")
    (finding,) = installation._database()
    assert finding.works or finding.repair
