"""Programs of several threads: sharing, locks, messages, publication."""
