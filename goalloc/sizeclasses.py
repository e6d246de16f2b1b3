"""The 67 object sizes of small allocations, and the spans they are cut from: generated, not copied.

The rule (Go: mksizeclasses.go): sizes go up by the alignment, which is 8 and becomes 16 at 32, size/8 from 128 to 2047 and
256 above; a span is the least number of go pages that wastes at most an eighth at its tail; neighbours that cut the same
number of objects from the same span become the larger one; and an object grows to what its span has room for, down to a
multiple of 128. Class 0 stands for large objects, which have a span each.
"""

from goalloc.params import largeSizeDiv, maxSmallSize, numSizeClasses, pageSize, smallSizeDiv, smallSizeMax


def _alignment(size, align):
    """The step after `size`: it changes at powers of two only."""
    if size & (size - 1):
        return align
    if size >= 2048:
        return 256
    if size >= 128:
        return size // 8
    return 16 if size >= 32 else align


def _span_pages(size):
    pages = 1
    while pages * pageSize % size > pages * pageSize // 8:
        pages += 1
    return pages


def _generate():
    """[(bytes of an object, pages of a span)], class 0 first."""
    classes, size, align = [(0, 0)], 0, 8
    while size + align <= maxSmallSize:
        size += align
        align = _alignment(size, align)
        pages = _span_pages(size)
        before, before_pages = classes[-1]
        if before and pages == before_pages and pages * pageSize // size == pages * pageSize // before:
            classes.pop()
        classes.append((size, pages))
    grown = [(0, 0)]
    for size, pages in classes[1:]:
        room = pages * pageSize // (pages * pageSize // size)
        grown.append((max(size, room // largeSizeDiv * largeSizeDiv), pages))
    assert len(grown) == numSizeClasses
    return grown


def _lookup(sizes):
    """For each size in `sizes` the first class that holds it."""
    return tuple(next(c for c, size in enumerate(class_to_size) if size >= wanted) for wanted in sizes)


class_to_size, class_to_allocnpages = (tuple(column) for column in zip(*_generate()))
class_to_divmagic = (0, *(0xFFFF_FFFF // size + 1 for size in class_to_size[1:]))  # n / size = n * magic >> 32
size_to_class8 = _lookup(range(0, smallSizeMax + 1, smallSizeDiv))
size_to_class128 = _lookup(range(smallSizeMax, maxSmallSize + 1, largeSizeDiv))


def size_class(size):
    """The class of a small size, 1 to 32768."""
    if size <= smallSizeMax - 8:
        return size_to_class8[-(-size // smallSizeDiv)]
    return size_to_class128[-(-(size - smallSizeMax) // largeSizeDiv)]


def size_classes():
    """The table: a dict a class with its number, bytes, span bytes, objects, tail waste (bytes) and max waste (a fraction)."""
    rows = []
    for c in range(1, numSizeClasses):
        size, span = class_to_size[c], class_to_allocnpages[c] * pageSize
        objects = span // size
        tail = span - objects * size
        rows.append(
            {
                "class": c,
                "bytes": size,
                "span bytes": span,
                "objects": objects,
                "tail waste": tail,
                "max waste": ((size - class_to_size[c - 1] - 1) * objects + tail) / span,
            }
        )
    return rows
