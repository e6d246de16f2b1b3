"""Translation: TLBs, the page walker, the trap."""
