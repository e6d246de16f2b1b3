"""Who runs next, threads on cores, by the smallest clock; and who waits for a lock."""
