"""Whether etcd's database file is whole, by what its own first pages say; pure.

bbolt (bbolt, internal/common/meta.go and page.go): pages 0 and 1 each hold a header of 16 bytes
and a meta of 64: magic, version, page size, flags, root bucket, free list, number of pages in use,
transaction, and an FNV-1a sum of the 56 bytes before it. The valid one of the newer transaction
counts; all its pages are in the file before it is written. Tests: tests/unit/test_bolt.py.
"""

import struct

HEADER = 16
META = struct.Struct("<IIII QQ QQQ Q")
MAGIC, VERSION = 0xED0CDAED, 2
LARGEST_PAGE = 65536
NEEDED = LARGEST_PAGE + HEADER + META.size  # bytes from the start that `problem` wants to see


def problem(start: bytes, size: int) -> str | None:
    """Why a database of `size` bytes does not open, by its start; None if nothing says so."""
    found = [meta for offset in _offsets(start) if (meta := _meta(start, offset)) is not None]
    if not found:
        return "it does not begin like a database"
    page_size, pages, _ = max(found, key=lambda meta: meta[2])
    if size < page_size * pages:
        return f"it is cut off: {size} of {page_size * pages} bytes are there"
    return None


def _offsets(start: bytes) -> list[int]:
    """Where the two metas may be: the second is a page further, and a page is 4 to 64 KiB."""
    return [0, *(1 << bits for bits in range(12, 17) if 1 << bits < len(start))]


def _meta(start: bytes, offset: int) -> tuple[int, int, int] | None:
    """Page size, number of pages and transaction of a meta that is whole."""
    body = start[offset + HEADER : offset + HEADER + META.size]
    if len(body) < META.size:
        return None
    magic, version, page_size, _, _, _, _, pages, transaction, checksum = META.unpack(body)
    if (magic, version) != (MAGIC, VERSION) or _fnv1a(body[:-8]) != checksum:
        return None
    return page_size, pages, transaction


def _fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value
