"""Finds what arrays of Arrow hold where a reader sees nothing: below nulls, and in buffers beside the values."""

import math
from collections.abc import Iterator

import pyarrow as pa

from ..findings import Code, refuse

_PADDING = 64
_SHORT_VIEW = 12  # letters that stand in a view itself
# What programs leave below a null; anything else was a value.
_EMPTY = frozenset({0, 1, None, -(2**63), -(2**31), -(2**15), -(2**7)})


def hides(array: pa.Array) -> bool:
    """Return whether something stands in the array that is none of its values."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return hides(array.storage)
    if pa.types.is_null(kind):
        return False
    if pa.types.is_dictionary(kind):
        return hides(array.indices) or hides(array.dictionary)
    if pa.types.is_struct(kind):
        return any(map(hides, array.flatten())) or _is_below_records(array)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        return len(array.values if not pa.types.is_map(kind) else array.keys) != len(array.flatten()) or any(
            map(hides, _inside(array))
        )
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        return _is_beside_views(array)
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_large_string(kind):
        return _is_beside_words(array)
    if pa.types.is_large_binary(kind):
        return _is_beside_words(array)
    if pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_fixed_size_binary(kind):
        return _is_below_nulls(array)
    raise refuse(Code.UNREVIEWABLE_TYPE)  # no table of results is made of unions or runs


def _inside(array: pa.Array) -> Iterator[pa.Array]:
    if pa.types.is_map(array.type):
        yield from (array.keys, array.items)
    else:
        yield array.values


def _is_below_records(array: pa.Array) -> bool:
    """Return whether a record that is null has values; `flatten` masks them, its fields do not."""
    fields = (array.field(at) for at in range(array.type.num_fields))
    return array.null_count > 0 and any(len(one.filter(array.is_null()).drop_null()) > 0 for one in fields)


def _is_below_nulls(array: pa.Array) -> bool:
    kind = array.type
    data = array.buffers()[1]
    if data is None:
        return False
    if data.size > -(-(array.offset + len(array)) * kind.bit_width // 8) + _PADDING:
        return True
    if not array.null_count:
        return False
    bare = pa.Array.from_buffers(kind, len(array), [None, data], offset=array.offset)
    if pa.types.is_temporal(kind):
        bare = bare.view(pa.int64() if kind.bit_width == _PADDING else pa.int32())
    return any(not _is_empty(value) for value in bare.filter(array.is_null()).to_pylist())


def _is_empty(value: object) -> bool:
    if isinstance(value, bytes):
        return not any(value)
    return value in _EMPTY or (isinstance(value, float) and math.isnan(value))


def _is_beside_words(array: pa.Array) -> bool:
    _validity, places, data = array.buffers()
    if places is None or data is None:
        return False
    is_wide = array.type in (pa.large_string(), pa.large_binary())
    ends = memoryview(places).cast("q") if is_wide else memoryview(places).cast("i")
    first, last = ends[array.offset], ends[array.offset + len(array)]
    if first > 0 or data.size > last + _PADDING:
        return True
    if not array.null_count:
        return False
    at = array.is_null().to_pylist()
    return any(null and ends[array.offset + row + 1] > ends[array.offset + row] for row, null in enumerate(at))


def _is_beside_views(array: pa.Array) -> bool:
    """Return whether buffers are longer than all words that point into them."""
    said = sum(len(one.as_buffer()) for one in array if one.is_valid and len(one.as_buffer()) > _SHORT_VIEW)
    held: int = sum(one.size for one in array.buffers()[2:] if one is not None)
    return held > said + _PADDING * len(array.buffers())
