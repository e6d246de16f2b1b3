"""The page heap: bitmaps, summaries, the per-P page cache, and what is given back to the kernel."""
