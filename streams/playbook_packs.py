"""The ready packs of this release: where they lie, what they are, whole playbooks made of them.

And the default playbook, which a new installation begins with.
"""

from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path

import models.playbook
from models.local_time import is_zone
from models.playbook.check import Checked, check
from models.playbook.files import Fetch
from models.playbook.packs import (
    SHOP_FILE,
    check_part,
    in_locales,
    is_part,
    part_text,
    whole_text,
)
from models.playbook.playbook import Pack
from models.playbook.scalars import LOCALES

_HERE = Path(models.playbook.__file__).parent
FOLDER = _HERE / "packs"
REHEARSALS = FOLDER / "rehearsals"
DEFAULT = _HERE / "default.yaml"
_ZONE, _CURRENCY = "time_zone: UTC\n", "currency: USD\n"


def names() -> tuple[str, ...]:
    """Names of all ready packs."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml")))


def text_of(name: str) -> str:
    """A pack as it stands in the release: a part of a playbook, without a shop."""
    return (FOLDER / f"{name}.yaml").read_text()


def rehearsal_of(name: str) -> Path:
    """The scenario that shows a pack working."""
    return REHEARSALS / f"{name}.yaml"


def default_text(time_zone: str = "UTC", currency: str = "USD") -> str:
    """Playbook that a new installation begins with, for a shop at home in this zone."""
    text = DEFAULT.read_text("utf-8")
    home = time_zone if is_zone(time_zone) else "UTC"
    text = text.replace(_ZONE, f"time_zone: {home}\n", 1)
    return text.replace(_CURRENCY, f"currency: {currency}\n", 1)


@cache
def shop_text() -> str:
    """The shop that packs are checked and rehearsed in, and that a new playbook begins with."""
    return (_HERE / SHOP_FILE).read_text()


def playbook_text(
    packs: Sequence[str], locales: Sequence[str] = LOCALES, *, part: bool = False
) -> str:
    """A playbook of these packs in these languages; a `part` has no shop, for others to include."""
    texts = map(text_of, packs)
    return in_locales(part_text(texts) if part else whole_text(shop_text(), texts), locales)


def checked_pack(name: str) -> Checked:
    """A pack within the default shop, read and checked."""
    file = FOLDER / f"{name}.yaml"
    return check_part(shop_text(), str(file), file.read_bytes(), lambda _: None)


def told(name: str) -> Pack:
    """What a pack does, what to measure, what it needs."""
    book = checked_pack(name).playbook
    if book is None:
        raise RuntimeError(f"pack {name} of this release has a mistake")
    return book.packs[name]


def check_alone(
    file: str, raw: bytes, fetch: Fetch, *, today: date | None = None, events_currency: str = ""
) -> Checked:
    """Check a playbook; a pack, which has no shop of its own, within the default one."""
    if is_part(raw):
        return check_part(shop_text(), file, raw, fetch, today=today)
    return check(file, raw, fetch, today=today, events_currency=events_currency)
