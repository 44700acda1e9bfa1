"""Places for the signed webhooks that wait for Kafka at once: so many in a worker, and who finds none is refused."""


class Places:
    """Those of one worker; none before they are opened."""

    __slots__ = ("_free",)

    def __init__(self) -> None:
        self._free = 0

    def open(self, number: int) -> None:
        self._free = number

    @property
    def are_taken(self) -> bool:
        return self._free <= 0

    def take(self) -> bool:
        """Take a place; False if there is none."""
        if self._free <= 0:
            return False
        self._free -= 1
        return True

    def leave(self) -> None:
        self._free += 1
