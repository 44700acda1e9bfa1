"""The README's configuration table against the settings."""

import re
from pathlib import Path

from pydantic_core import PydanticUndefined

from ingest_service.settings import IngestSettings
from status_service.settings import StatusSettings, TopicSettings

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (`[A-Z_`, ]+`) \|([^|]+)\|([^|]*)\|", README, re.MULTILINE)
DOCUMENTED = {name: default.strip() for names, _, default in ROWS for name in re.findall(r"[A-Z_]+", names)}
FIELDS = {
    name.upper(): field
    for settings in (IngestSettings, StatusSettings, TopicSettings)
    for name, field in settings.model_fields.items()
}


def test_every_setting_is_documented_and_nothing_else() -> None:
    assert DOCUMENTED.keys() == FIELDS.keys()


def test_the_defaults_are_the_documented_ones() -> None:
    # The two services have different defaults for these, or none.
    plain = FIELDS.keys() - {"INTERNAL_PORT", "DATABASE_URL"}
    defaults = {
        name: FIELDS[name].default for name in plain if FIELDS[name].default not in {PydanticUndefined, None, ()}
    }
    assert {name: DOCUMENTED[name].strip("`") for name in defaults} == {
        name: f"{default:g}" if isinstance(default, float) else str(default) for name, default in defaults.items()
    }


def test_required_settings_are_marked() -> None:
    required = {name for name, field in FIELDS.items() if field.is_required()}
    assert required <= {name for name, default in DOCUMENTED.items() if default.startswith("required")}
