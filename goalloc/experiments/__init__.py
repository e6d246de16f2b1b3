"""Experiments on the allocator."""
