"""How far the play is: two bars on a terminal, a line now and then elsewhere."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_SECONDS = 2

# Statuses acknowledged, messages counted.
Show: TypeAlias = Callable[[int, int], None]


@contextlib.contextmanager
def show_progress(console: Console, statuses: int, messages: int) -> Iterator[Show]:
    if not console.is_terminal:
        yield _lines(console, statuses, messages)
        return
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    ) as progress:
        acknowledged_bar = progress.add_task("statuses answered 200       ", total=statuses)
        counted_bar = progress.add_task("messages counted in the database", total=messages)

        def show(acknowledged: int, counted: int) -> None:
            progress.update(acknowledged_bar, completed=acknowledged)
            progress.update(counted_bar, completed=counted)

        yield show


def _lines(console: Console, statuses: int, messages: int) -> Show:
    next_line = time.monotonic() + LINE_SECONDS

    def show(acknowledged: int, counted: int) -> None:
        nonlocal next_line
        if time.monotonic() >= next_line:
            next_line = time.monotonic() + LINE_SECONDS
            console.print(
                f"{acknowledged:,} of {statuses:,} statuses answered 200, "
                f"{counted:,} of {messages:,} messages counted in the database"
            )

    return show
