"""Who runs next: threads on cores, by the smallest clock."""
