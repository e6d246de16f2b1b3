"""What all tests share: this tree's packages, hypothesis without deadlines (the first call compiles), seeds.

A randomised test's seed comes from its name, so that two runs of the suite test the same. HWMEM_TEST_SEED=fresh asks for
new ones, hypothesis's examples too; HWMEM_TEST_SEED=<number> repeats with a seed that a failure printed.
"""

import os
import pathlib
import random
import sys
import zlib

import pytest
from hypothesis import HealthCheck, settings

os.environ["COLUMNS"] = "100"  # of the screen, wherever the tests run
TESTS = pathlib.Path(__file__).resolve().parent
ROOT = TESTS.parent
for folder in (TESTS, ROOT):  # models.py, kernels_under_test.py; hwmem of this tree
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

SEED = os.environ.get("HWMEM_TEST_SEED", "")
settings.register_profile(
    "hwmem",
    deadline=None,
    print_blob=True,
    derandomize=SEED != "fresh",
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "hwmem"))


@pytest.fixture
def seed(request):
    """A seed for this test; printed, so that a failure shows it."""
    number = random.SystemRandom().randrange(1 << 31) if SEED == "fresh" else int(SEED or zlib.crc32(request.node.nodeid.encode()) >> 1)
    print(f"HWMEM_TEST_SEED={number}")
    return number
