import pytest

from muslin.engines.tried import TRIED


@pytest.fixture(autouse=True)
def nothing_tried():
    """Each test tries its steps itself, whatever others have trained before."""
    TRIED.clear()
