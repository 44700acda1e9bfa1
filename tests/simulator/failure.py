class SimulationError(Exception):
    """The play cannot go on; the text says why, to the person who started it."""
