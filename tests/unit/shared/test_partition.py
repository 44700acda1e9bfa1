"""The partition that other clients find too."""

import pytest

from shared.partition import partition_of


# CRC32's check value: the digits 1 to 9 give cbf43926 in every correct implementation.
@pytest.mark.parametrize("partitions", [1, 12, 50])
def test_it_is_crc32_modulo_the_partition_count(partitions: int) -> None:
    assert partition_of(b"123456789", partitions) == 0xCBF43926 % partitions
