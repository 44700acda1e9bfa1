"""`python -m tests.documents`: writes the pages that are made of declarations."""

from pathlib import Path

from tests.documents import configuration, metrics

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {"metrics.md": metrics.written, "configuration.md": configuration.written}


def write() -> None:
    for name, written in PAGES.items():
        (DOCS / name).write_text(written(), encoding="utf-8")


if __name__ == "__main__":
    write()
