"""Models of every family with a method in them."""

import pytest

from tests.support.methods_on_checkpoints import (
    make,
)


@pytest.fixture
def injected(checkpoints):
    def inject(kind: str, family: str, **settings):
        method = make(kind, family, **settings)
        return method, method.inject(method.load_base(checkpoints / family))

    return inject
