"""Constants of the library as the table writes them."""

from __future__ import annotations

import base64
from fractions import Fraction
from typing import Any

from goalloc.escape import consts
from goalloc.escape.types import Type


def decode_value(v: Any, t: Type) -> Any:
    """A bool, {"string": base64}, or a number as go/constant's ExactString."""
    if isinstance(v, bool):
        return v
    if isinstance(v, dict):
        return base64.b64decode(v["string"])
    if "i" in v:
        raise ValueError(f"complex constant {v}")
    return consts.fits(Fraction(v), t)
