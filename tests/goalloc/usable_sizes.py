"""What malloc_usable_size answers for many sizes, as a program of its own: under LD_PRELOAD another library answers. JSON: [[size, usable], ...]."""

import ctypes
import json

SIZES = [*range(5_000), *range(5_000, 70_000, 61), *(f for k in range(12, 25) for f in (1 << k, (1 << k) + 1, (3 << k - 1) + 5))]


def main():
    library = ctypes.CDLL(None)
    library.malloc.restype = library.malloc_usable_size.restype = ctypes.c_size_t
    library.malloc.argtypes = library.malloc_usable_size.argtypes = [ctypes.c_size_t]
    print(json.dumps([[n, library.malloc_usable_size(library.malloc(n))] for n in SIZES]))


if __name__ == "__main__":
    main()
