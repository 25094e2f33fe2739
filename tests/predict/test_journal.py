import os
import threading
from contextlib import ExitStack

import pytest

from artdet.errors import RunError
from artdet.predict.journal import Journal, drop_failures, open_journal
from artdet.runs import PREDICTIONS_FILE, Box, Record

BOX = Box("horse", 0.75, (1.5, 2.0, 30.25, 41.0), "animals")


def record(name, digit="a"):
    return Record(name, digit * 64, (50, 40), (BOX,))


def failed(name):
    return Record(name, None, None, error=("truncated", "it ends early"))


def lines(folder):
    return (folder / PREDICTIONS_FILE).read_bytes()


def test_lines_are_kept_in_order_and_known_again(tmp_path):
    with open_journal(tmp_path) as journal:
        assert journal.done == set()
        for name in ("b", "a"):
            journal.append(record(name))
    with open_journal(tmp_path) as journal:
        assert journal.done == {"a", "b"}
        journal.append(failed("c"))
    assert [Record.from_line(line).file for line in lines(tmp_path).splitlines()] == ["b", "a", "c"]


def test_a_torn_line_is_cut_off_at_every_byte(tmp_path):
    whole = (record("a").as_line() + "\n").encode()
    torn = (record("bé").as_line() + "\n").encode()
    for length in range(len(torn)):
        (tmp_path / PREDICTIONS_FILE).write_bytes(whole + torn[:length])
        with open_journal(tmp_path) as journal:
            assert journal.done == {"a"}
            journal.append(record("c"))
        assert lines(tmp_path) == whole + (record("c").as_line() + "\n").encode()


def test_a_damaged_line_in_the_middle_stops_with_its_number_and_loses_nothing(tmp_path):
    content = b"rubbish\n" + (record("a").as_line() + "\n").encode()
    (tmp_path / PREDICTIONS_FILE).write_bytes(content)
    with pytest.raises(RunError, match="line 1 is damaged"), open_journal(tmp_path):
        pass
    assert lines(tmp_path) == content


def test_twins_are_found_by_their_bytes_also_after_a_resume(tmp_path):
    with open_journal(tmp_path) as journal:
        journal.append(record("a", "1"))
        journal.append(record("b", "2"))
        assert journal.twin("1" * 64).file == "a"
    with open_journal(tmp_path) as journal:
        assert journal.twin("2" * 64).file == "b"
        assert journal.twin("3" * 64) is None


def test_two_writers_keep_out_of_each_others_way(tmp_path, monkeypatch):
    monkeypatch.setattr("artdet.locks._PATIENCE", 0.1)
    with open_journal(tmp_path), pytest.raises(RunError, match="another artdet is writing"), open_journal(tmp_path):
        pass
    with open_journal(tmp_path):
        pass


def test_a_writer_that_is_about_to_end_is_waited_for(tmp_path):
    pytest.importorskip("fcntl")
    with ExitStack() as other:
        other.enter_context(open_journal(tmp_path))
        timer = threading.Timer(0.2, other.close)
        timer.start()
        with open_journal(tmp_path) as journal:
            journal.append(record("a"))
        timer.join()
    assert (tmp_path / PREDICTIONS_FILE).read_bytes().count(b"\n") == 1


def test_a_full_disk_loses_no_earlier_line_and_leaves_no_torn_one(tmp_path, monkeypatch):
    with open_journal(tmp_path) as journal:
        journal.append(record("a"))
        real = os.write
        with monkeypatch.context() as patched:
            # As on a full disk: a part of the line is written.
            patched.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:10]))
            with pytest.raises(RunError, match="No space left.*All images up to here are kept"):
                journal.append(record("b"))
        assert lines(tmp_path) == (record("a").as_line() + "\n").encode()
        journal.append(record("c"))
        assert journal.done == {"a", "c"}
    assert len(lines(tmp_path).splitlines()) == 2


def test_failures_are_dropped_to_be_tried_again(tmp_path):
    assert drop_failures(tmp_path) == 0
    with open_journal(tmp_path) as journal:
        for one in (failed("x"), record("a"), failed("y")):
            journal.append(one)
    assert drop_failures(tmp_path) == 2
    with open_journal(tmp_path) as journal:
        assert journal.done == {"a"}


def test_memory_of_a_journal_does_not_hold_records(tmp_path):
    with open_journal(tmp_path) as journal:
        journal.append(record("a", "1"))
        assert not any(isinstance(value, Record) for value in vars(journal).values())
        assert isinstance(journal, Journal)
