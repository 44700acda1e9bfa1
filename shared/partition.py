"""Which partition a key belongs to."""

from zlib import crc32


def partition_of(key: bytes, partitions: int) -> int:
    """Give CRC32 of the key modulo the partition count.

    That is librdkafka's `consistent` partitioner, so clients in other languages find a message's partition without us.
    """
    return crc32(key) % partitions
