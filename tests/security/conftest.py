"""One secure broker for each test module that uses it."""

from collections.abc import Iterator

import pytest

from tests.security.secure import Secure, secure_broker


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secure]:
    """A secure broker with an arena's topics and access rules."""
    with secure_broker(tmp_path_factory.mktemp("secure")) as found:
        yield found
