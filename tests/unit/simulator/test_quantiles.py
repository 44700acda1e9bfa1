from tests.simulator.quantiles import Quantiles


def test_the_quantiles_are_told_in_milliseconds() -> None:
    assert Quantiles.of([milliseconds / 1000 for milliseconds in range(101)]) == Quantiles(50.0, 99.0, 100.0)


def test_of_nothing_there_are_none() -> None:
    assert Quantiles.of([]) is None
