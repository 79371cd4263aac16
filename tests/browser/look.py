"""Pictures of a running installation in each language, theme and width, for people to look at.

python -m tests.browser.look http://127.0.0.1:8471 FOLDER [PATH ...]
"""

import asyncio
import sys
from pathlib import Path

from sinks.web.words import LANGUAGES
from tests.browser.chromium import Page, chromium, find_chromium

SIZES = {"wide": (1440, 900), "phone": (375, 800)}
DRAWN = "document.readyState === 'complete' && !document.querySelector('.loading, [aria-busy]')"
SETTLED_S = 1.5


async def look(address: str, folder: Path, paths: list[str]) -> None:
    """Take every picture; raises RuntimeError where there is no Chromium."""
    program = find_chromium()
    if program is None:
        raise RuntimeError("no Chromium on this machine")
    folder.mkdir(parents=True, exist_ok=True)
    async with chromium(program) as page:
        for path in paths:
            for language in LANGUAGES:
                await page.language(language, address)
                for size in SIZES:
                    for dark in (False, True):
                        name = path.strip("/").replace("/", "-") or "today"
                        theme = "dark" if dark else "light"
                        file = folder / f"{name}-{language}-{theme}-{size}.png"
                        await _take(page, f"{address.rstrip('/')}{path}", file, size, dark=dark)


async def _take(page: Page, url: str, file: Path, size: str, *, dark: bool) -> None:
    width, height = SIZES[size]
    await page.look(width, height, dark=dark)
    await page.open(url)
    await page.until(DRAWN, 30)
    whole = await page.evaluate("document.documentElement.scrollHeight")
    await page.look(width, max(height, whole), dark=dark)
    await asyncio.sleep(SETTLED_S)
    await page.screenshot(file, whole=False)
    sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    asyncio.run(look(sys.argv[1], Path(sys.argv[2]), sys.argv[3:] or ["/", "/mailbox"]))
