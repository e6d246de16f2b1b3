"""How a record of the machine is declared."""
import numpy as np


def record(*fields):
    """An aligned dtype from (name, type[, shape]) with int64 for a bare name. It must need no padding: numpy would spell
    that out, a character for each byte of it in a whole array, whenever Python hands the machine to a kernel."""
    made = np.dtype([(f, "i8") if isinstance(f, str) else f for f in fields], align=True)
    assert made.itemsize == sum(of.itemsize for of, *_ in made.fields.values()), (made.names, "needs padding")
    assert not set(made.names) & set(dir(np.record)), (made.names, "an attribute of numpy's records hides a field")
    return made


PERIOD = record("since", "until", "took")    # when something that serves one at a time was in use, the last time for so long (memory/periods.py)


def rows(*fields):
    """The dtype of an array of such records of its own: its elements have the fields as attributes in plain Python too."""
    return np.dtype((np.record, record(*fields)))
