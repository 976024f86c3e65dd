"""Computes the CRC32C (Castagnoli) of many byte ranges at once, in NumPy.

A CRC register that starts at zero is a linear function of the bytes over GF(2). This has three
consequences. Leading zero bytes change nothing, so ranges of different lengths are aligned at their
ends and padded in front. The start value adds a term that depends only on the length. A long range
can be cut into pieces: their CRCs are shifted past the bytes behind them and added (XOR).
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

_POLYNOMIAL = 0x82F63B78  # reflected
_ONES = np.uint32(0xFFFFFFFF)
_MASK_DELTA = np.uint32(0xA282EAD8)
_PIECE_BYTES = 1016  # bytes; 127 words: an odd number, so that rows of a slab share no cache sets
_SLAB_RANGES = 8192  # the number of ranges in lock step: their rows and registers stay in cache

UInt8 = npt.NDArray[np.uint8]
UInt32 = npt.NDArray[np.uint32]
Int64 = npt.NDArray[np.int64]


def crc32c_many(buffer: UInt8, starts: Int64, lengths: Int64) -> UInt32:
    """Returns the CRC32C of each range `buffer[starts[i] : starts[i] + lengths[i]]`.

    The polynomial is 0x1EDC6F41, reflected in and out; the start value and the final XOR are
    0xFFFFFFFF (RFC 3720, section 12.1). Ranges may overlap. An empty range has the CRC 0.

    Args:
        buffer: uint8 `[size]`, C-contiguous.
        starts: int64 `[n]`, the position of the first byte of each range.
        lengths: int64 `[n]`, the size of each range in bytes.

    Returns:
        uint32 `[n]`.

    Raises:
        ValueError: if a range is not within the buffer.

    >>> text = np.frombuffer(b"123456789", np.uint8)
    >>> [hex(crc) for crc in crc32c_many(text, np.array([0, 0]), np.array([9, 0]))]
    ['0xe3069283', '0x0']
    """
    ends = starts + lengths
    if len(starts) and (starts.min() < 0 or lengths.min() < 0 or ends.max() > len(buffer)):
        raise ValueError("a range leaves the buffer: check starts and lengths")
    if not len(starts) or lengths.max() <= _PIECE_BYTES:
        return _registers(buffer, ends, lengths) ^ _start_terms()[lengths] ^ _ONES
    # Only the first piece of a range is short, so only whole pieces are behind any piece.
    pieces = np.maximum(-(-lengths // _PIECE_BYTES), 1)
    first = np.cumsum(pieces) - pieces
    behind = np.repeat(first + pieces, pieces) - np.arange(1, pieces.sum() + 1)
    sizes = np.full(len(behind), _PIECE_BYTES)
    sizes[first] = lengths - (pieces - 1) * _PIECE_BYTES
    crcs = _registers(buffer, np.repeat(ends, pieces) - behind * _PIECE_BYTES, sizes)
    crcs[first] ^= _start_terms()[sizes[first]]
    return np.bitwise_xor.reduceat(_shift(crcs, behind * _PIECE_BYTES), first) ^ _ONES


def masked_crc32c_many(buffer: UInt8, starts: Int64, lengths: Int64) -> UInt32:
    """Returns the masked CRC32C of each range, as TFRecord stores it; see `crc32c_many`.

    The mask is `rotate_right(crc, 15) + 0xA282EAD8` modulo 2^32 (TensorFlow, `lib/hash/crc32c.h`).

    >>> text = np.frombuffer(b"123456789", np.uint8)
    >>> [hex(crc) for crc in masked_crc32c_many(text, np.array([0]), np.array([9]))]
    ['0xc78ab0e5']
    """
    crcs = crc32c_many(buffer, starts, lengths)
    masked: UInt32 = ((crcs >> np.uint32(15)) | (crcs << np.uint32(17))) + _MASK_DELTA
    return masked


def _registers(buffer: UInt8, ends: Int64, lengths: Int64) -> UInt32:
    """Returns the registers, started at zero, after `lengths[i]` bytes that end at `ends[i]`."""
    words = ((lengths + 7) >> 3).astype(np.uint8)  # NumPy sorts small integers with a radix sort
    order = np.argsort(words, kind="stable")[::-1]
    result = np.zeros(len(ends), np.uint32)
    begin, stop = 0, int(np.count_nonzero(words))
    while begin < stop:
        width = 8 * int(words[order[begin]])
        slab = order[begin : min(stop, begin + _SLAB_RANGES)]
        begin += len(slab)
        early = ends[slab] < width
        if early.any():
            padded = np.concatenate([np.zeros(width, np.uint8), buffer[:width]])
            rows = slab[early]
            result[rows] = _lock_step(padded, ends[rows] + width, lengths[rows], width)
            slab = slab[~early]
        result[slab] = _lock_step(buffer, ends[slab], lengths[slab], width)
    return result


def _lock_step(buffer: UInt8, ends: Int64, lengths: Int64, width: int) -> UInt32:
    """Returns the same as `_registers`, for ranges of at most `width` bytes, longest first."""
    state = np.zeros(len(ends), np.uint32)
    if not len(ends):
        return state
    windows: npt.NDArray[np.void] = np.ndarray(
        len(buffer) - width + 1, f"V{width}", buffer, strides=(1,)
    )
    rows = windows[ends - width].view("<u8").reshape(len(ends), -1)
    words = (lengths + 7) >> 3
    started = np.searchsorted(-words, -np.arange(width // 8, 0, -1), side="right")
    padding = np.left_shift(np.uint64(2**64 - 1), ((words << 3) - lengths << 3).astype(np.uint64))
    tables = _word_tables()
    before = 0
    for column, active in enumerate(started.tolist()):
        word = rows[:active, column] ^ state[:active]
        word[before:] &= padding[before:active]
        quarters = word.view("<u2").reshape(-1, 4)
        state[:active] = (
            tables[0].take(quarters[:, 0])
            ^ tables[1].take(quarters[:, 1])
            ^ tables[2].take(quarters[:, 2])
            ^ tables[3].take(quarters[:, 3])
        )
        before = active
    return state


def _shift(crcs: UInt32, zero_bytes: Int64) -> UInt32:
    """Returns the registers after register `i` has read `zero_bytes[i]` zero bytes."""
    shifted = crcs.copy()
    for bit in range(int(zero_bytes.max()).bit_length()):
        chosen = np.flatnonzero(zero_bytes >> bit & 1)
        shifted[chosen] = _apply(_zero_bytes_operator(bit), shifted[chosen])
    return shifted


def _apply(operator: UInt32, crcs: UInt32) -> UInt32:
    """Applies a linear operator to registers.

    Args:
        operator: uint32 `[4, 256]`, the results for all values of each byte of a register.
        crcs: uint32 `[n]`, the registers.
    """
    low, second, third, high = (crcs >> np.uint32(8 * k) & np.uint32(0xFF) for k in range(4))
    product: UInt32 = (
        operator[0][low] ^ operator[1][second] ^ operator[2][third] ^ operator[3][high]
    )
    return product


@cache
def _zero_bytes_operator(bit: int) -> UInt32:
    """Returns the operator that reads `2**bit` zero bytes, uint32 `[4, 256]`."""
    byte_values = np.arange(256, dtype=np.uint32) << (8 * np.arange(4, dtype=np.uint32))[:, None]
    if bit:
        half = _zero_bytes_operator(bit - 1)
        return _apply(half, _apply(half, byte_values))
    for _ in range(8):
        byte_values = byte_values >> np.uint32(1) ^ (byte_values & np.uint32(1)) * np.uint32(
            _POLYNOMIAL
        )
    return byte_values


@cache
def _word_tables() -> UInt32:
    """Returns the register after each 16-bit quarter of an 8-byte word, uint32 `[4, 65536]`."""
    quarter = np.arange(1 << 16, dtype=np.uint32)
    return np.stack([_shift(quarter, np.full(1 << 16, count)) for count in (8, 6, 4, 2)])


@cache
def _start_terms() -> UInt32:
    """Returns the term of the start value after 0 bytes, 1 byte, up to `_PIECE_BYTES` bytes."""
    return _shift(np.full(_PIECE_BYTES + 1, _ONES), np.arange(_PIECE_BYTES + 1))
