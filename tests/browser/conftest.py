"""A browser and a shop for the tests of this folder; skipped, with its reason, where none is."""

from collections.abc import AsyncIterator

import pytest

from tests.browser.chromium import NAMES, Page, chromium, find_chromium
from tests.sinks.web.conftest import empty_shop, fresh_shop, shop

__all__ = ["empty_shop", "fresh_shop", "page", "shop"]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A tab of its own for each test."""
    program = find_chromium()
    if program is None:
        pytest.skip(f"no Chromium on this machine (looked for {', '.join(NAMES)})")
    async with chromium(program) as page:
        yield page
