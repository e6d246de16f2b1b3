"""What all tests share: this tree's packages, hypothesis without deadlines (the first call compiles), fresh seeds.

Set HWMEM_TEST_SEED to run the randomised tests again with a seed that a failure printed.
"""
import os
import pathlib
import random
import sys

import pytest
from hypothesis import HealthCheck, settings

TESTS = pathlib.Path(__file__).resolve().parent
ROOT = TESTS.parent
for folder in (TESTS, ROOT):                                # models.py, kernels_under_test.py; hwmem of this tree
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

settings.register_profile("hwmem", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "hwmem"))


@pytest.fixture
def seed():
    """A fresh seed for this test; printed, so that a failure shows it."""
    number = int(os.environ.get("HWMEM_TEST_SEED") or random.SystemRandom().randrange(1 << 31))
    print(f"HWMEM_TEST_SEED={number}")
    return number
