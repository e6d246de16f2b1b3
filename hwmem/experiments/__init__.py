"""Guided experiments on the machine."""
