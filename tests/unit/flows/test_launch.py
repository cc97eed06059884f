"""Ctrl-C and SIGTERM while a study runs."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from flows.study.launch import StopSignal, handling_signals

# A command whose display is blocked by a slow reader when the signal comes.
BLOCKED = """
import os, signal, sys, threading, time
from flows.study.display import PlainDisplay
from flows.study.launch import StopSignal, handling_signals

display = PlainDisplay()
with handling_signals(StopSignal(display.print_line)) as stop:
    stop.on_stop(lambda: os.write(2, b"passed on\\n"))
    pid = os.getpid()
    threading.Thread(target=lambda: (time.sleep(0.5), os.kill(pid, signal.SIGINT))).start()
    display.print_line("x" * 1_000_000)
print(stop.is_set)
"""


def eventually(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def test_a_signal_calls_the_callback_and_is_announced() -> None:
    printed: queue.SimpleQueue[str] = queue.SimpleQueue()
    passed = threading.Event()
    before = signal.getsignal(signal.SIGTERM)
    with handling_signals(StopSignal(printed.put)) as stop:
        stop.on_stop(passed.set)
        os.kill(os.getpid(), signal.SIGTERM)
        assert passed.wait(20) and stop.is_set
        assert printed.get(timeout=20).startswith("stopping")
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_before_the_callback_is_registered_is_not_lost() -> None:
    with handling_signals(StopSignal(lambda line: None)) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_set
        passed = threading.Event()
        stop.on_stop(passed.set)
        assert passed.is_set()


def test_signal_handling_leaves_no_thread_behind() -> None:
    with handling_signals(StopSignal(lambda line: None)):
        pass
    assert eventually(lambda: "stop" not in {each.name for each in threading.enumerate()})


def test_a_signal_in_the_middle_of_printing_is_handled() -> None:
    buffered = {name: text for name, text in os.environ.items() if name != "PYTHONUNBUFFERED"}
    child = subprocess.Popen(
        [sys.executable, "-c", BLOCKED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=buffered,
    )
    assert child.stderr is not None
    assert child.stderr.readline() == b"passed on\n"
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err.decode()
    assert out.endswith(b"True\n")
