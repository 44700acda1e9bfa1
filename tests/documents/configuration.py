"""docs/configuration.md, from the settings as the services declare them."""

from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from ingest_service.settings import IngestSettings
from shared.settings import ServiceSettings
from status_service.settings import StatusSettings, TopicSettings

HEAD = """# Configuration

Everything is an environment variable. A value that cannot be used ends the start with exit status 2 and a line that
names the variable, never the value. Each variable can be given in a file instead: `NAME_FILE` holds the file's path,
as container platforms hand secrets over; the receiver reads `META_APP_SECRETS_FILE` and `META_VERIFY_TOKENS_FILE`
again when they change, and on SIGHUP. An empty variable counts as unset. This page is written by `make docs` from the
settings in `shared/settings.py`, `ingest_service/settings.py` and `status_service/settings.py`.
"""
CHAPTERS: dict[str, type[ServiceSettings]] = {
    "Both services": ServiceSettings,
    "ingest_service": IngestSettings,
    "status_service": StatusSettings,
    "python -m status_service topics": TopicSettings,
}


def written() -> str:
    shared = ServiceSettings.model_fields.keys()
    chapters = [
        f"## {title}\n\n" + "\n".join(_table(settings, () if settings is ServiceSettings else shared))
        for title, settings in CHAPTERS.items()
    ]
    return HEAD + "\n" + "\n\n".join(chapters) + "\n"


def _table(settings: type[BaseModel], but: Any) -> list[str]:
    rows = ["| Variable | Default | Limits | Meaning |", "| --- | --- | --- | --- |"]
    for name, field in settings.model_fields.items():
        if name not in but:
            rows.append(f"| `{name.upper()}` | {_default(field)} | {_limits(field)} | {field.description} |")
    return rows


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    return "unset" if field.default is None else f"`{field.default}`"


def _limits(field: FieldInfo) -> str:
    """Give what a value may be, as far as a person has to know."""
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    found = []
    signs = {"ge": "at least {:,}", "gt": "more than {:,}", "le": "at most {:,}", "max_length": "at most {:,} values"}
    for sign, words in signs.items():
        found += [words.format(getattr(limit, sign)) for limit in field.metadata if hasattr(limit, sign)]
    if SecretStr in (field.annotation, *get_args(field.annotation)):
        found.append("secret")
    return ", ".join(found)
