"""A share of the soak: see soak.py, which is run for an hour by hand."""

import pytest
from soak import soak


@pytest.mark.slow
def test_nothing_grows():
    found = soak(1.5)
    for what, slack in {"MiB": 25, "descriptors": 0, "threads": 0, "files": 0}.items():
        before, after = found[what]
        assert after <= before + slack, found
