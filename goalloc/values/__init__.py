"""Maps, slices, strings and user arenas, as programs use them."""
