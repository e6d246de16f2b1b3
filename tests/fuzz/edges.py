"""Numbers that sums, shifts and signs stumble over."""

PAGE = 4096
POWERS = (0, 3, 6, 12, 20, 21, 30, 31, 32, 40, 44, 46, 47, 48, 52, 62, 63, 64)
NEAR = (-4097, -4096, -64, -8, -2, -1, 0, 1, 2, 7, 8, 63, 64, 4095, 4096, 4097)


def edge(r):
    """A word of 64 bits, signed or not, near a power of two, or any."""
    if r.random() < 0.1:
        return r.randrange(-(1 << 63), 1 << 64)
    value = (1 << r.choice(POWERS)) + r.choice(NEAR)
    if r.random() < 0.25:
        value = -value
    return value if -(1 << 63) <= value < 1 << 64 else value % (1 << 64)


def small(r):
    """A length or a number that programs use."""
    return r.choice((0, 1, 2, 7, 8, 64, 100, 4095, 4096, 4097, 8192, 3 * 4096, 1 << 16, 1 << 20, (2 << 20) + 4096, 4 << 20))


def word(r):
    return edge(r) if r.random() < 0.3 else small(r)
