"""How a record of the machine is declared."""
import numpy as np


def record(*fields):
    """An aligned dtype from (name, type[, shape]) with int64 for a bare name. It must need no padding: numpy would spell
    that out, a character for each byte of it in a whole array, whenever Python hands the machine to a kernel."""
    made = np.dtype([(f, "i8") if isinstance(f, str) else f for f in fields], align=True)
    assert made.itemsize == sum(of.itemsize for of, *_ in made.fields.values()), (made.names, "needs padding")
    return made
