"""Ctrl-C, SIGTERM and SIGHUP are noted at once and obeyed at the next wait.

An exception raised by the signal's handler could fall between the start of a process and the note that it runs, and
leave it behind. So the handler only notes the signal, and whoever waits asks.
"""

import signal
import time
from collections.abc import Callable
from types import FrameType

# Between two looks at a condition: short against every start-up here, long against the cost of a look.
POLL_SECONDS = 0.05

_received: list[int] = []


class Interrupted(Exception):  # noqa: N818 - a request to leave, not an error
    def __init__(self, signal_number: int) -> None:
        super().__init__(f"Ended by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


def note_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup's wish to outlive the terminal is respected.
        if number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue
        signal.signal(number, _note)


def signals_received() -> int:
    return len(_received)


def obey_signals() -> None:
    if _received:
        raise Interrupted(_received[0])


def wait_until(condition: Callable[[], bool], deadline_seconds: float) -> bool:
    """Tell whether the condition came true in time. Raises Interrupted where a signal came first."""
    return _wait(condition, deadline_seconds, obey_signals)


def wait_for_end(condition: Callable[[], bool], deadline_seconds: float) -> bool:
    """Tell whether something has ended in time: no signal shortens that, or something would be left behind."""
    return _wait(condition, deadline_seconds, lambda: None)


def _wait(condition: Callable[[], bool], deadline_seconds: float, between_looks: Callable[[], None]) -> bool:
    end = time.monotonic() + deadline_seconds
    while not condition():
        between_looks()
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _note(signal_number: int, _frame: FrameType | None) -> None:
    _received.append(signal_number)
