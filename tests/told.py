"""What was told, as a batch folds it."""

from collections.abc import Mapping
from uuid import UUID

from status_service.batch import Told
from status_service.merge import Evidence


def told(
    evidence: Mapping[str, Evidence],
    callback_ids: Mapping[str, UUID] | None = None,
    phone_number_ids: Mapping[str, str] | None = None,
) -> Told:
    return Told(dict(evidence), dict(callback_ids or {}), dict(phone_number_ids or {}))
