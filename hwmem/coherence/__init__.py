"""Coherence: the protocol tables of the private caches, and the directory that keeps to them."""
