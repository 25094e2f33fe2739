"""Ctrl-C while a training runs."""

import os
import signal
import threading

import pytest

from artdet.training.interruption import Interruption


def test_without_a_signal_nothing_is_asked_for():
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        assert signal.getsignal(signal.SIGINT) is not before
    assert not interruption.requested
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_acts(which):
    before = signal.getsignal(which)
    with Interruption() as interruption:
        os.kill(os.getpid(), which)
        assert interruption.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), which)
    assert signal.getsignal(which) is before


def test_another_thread_leaves_signals_alone():
    seen = []

    def work():
        with Interruption() as interruption:
            seen.append((signal.getsignal(signal.SIGINT), interruption.requested))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [(signal.getsignal(signal.SIGINT), False)]
