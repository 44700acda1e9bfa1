import pytest

from schema.connection import connect
from schema.errors import SchemaError


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://prime:hidden-word@127.0.0.1:1/nowhere",
        "postgresql://prime:hidden-word%zz@127.0.0.1:1/nowhere",
        "postgresql://prime:more@hidden-word@127.0.0.1:1/nowhere",
        "postgresql://prime:more/hidden-word@127.0.0.1:1/nowhere",
        "postgresql://prime:more?hidden-word@127.0.0.1:1/nowhere",
        "postgresql://prime:more#hidden-word@127.0.0.1:1/nowhere",
        "postgresql://prime:more hidden-word@127.0.0.1:1/nowhere",
        "host=127.0.0.1 port=1 user=prime password=hidden-word",
        "prime:hidden-word@127.0.0.1",
    ],
)
def test_an_unusable_url_is_explained_without_its_password(url: str) -> None:
    with pytest.raises(SchemaError, match=r"^DATABASE_URL") as refusal:
        connect(url)
    assert "hidden-word" not in str(refusal.value)


def test_settings_of_the_url_are_kept_beside_ours(sample_database: str) -> None:
    with connect(f"{sample_database}?options=-c%20work_mem%3D5MB%20-c%20timezone%3DAsia/Kolkata") as connection:
        shown = [connection.execute(f"SHOW {name}").fetchone() for name in ("work_mem", "timezone", "lock_timeout")]
    assert shown == [("5MB",), ("UTC",), ("500ms",)]
