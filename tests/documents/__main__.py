"""`python -m tests.documents`: writes the pages and dashboards that are made of declarations."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.documents import configuration, dashboards, metrics
from tests.documents.boards import BOARDS

ROOT = Path(__file__).parents[2]
PAGES: dict[str, Callable[[], str]] = {
    "docs/metrics.md": metrics.written,
    "docs/configuration.md": configuration.written,
    **{f"deploy/grafana/{name}": partial(dashboards.written, board) for name, board in BOARDS.items()},
}


def write() -> None:
    for name, written in PAGES.items():
        (ROOT / name).write_text(written(), encoding="utf-8")


if __name__ == "__main__":
    write()
