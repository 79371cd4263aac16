"""Logs: JSON lines for machines, readable lines on a terminal, never personal data or secrets."""

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "(hidden)"
HIDDEN_KEYS = frozenset(
    {
        "address", "api_key", "authorization", "birthday", "body", "city", "email", "first_name",
        "last_name", "master_key", "name", "password", "phone", "postcode", "raw", "secret",
        "street", "subject", "text", "token_key", "traits", "write_key",
    }
)  # fmt: skip
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
URL_PASSWORD = re.compile(r"(?<=://)[^/@\s]*:[^/@\s]+(?=@)")

_STEPS = ("aiokafka", "asyncio")
# Their debug level prints the keys and values of records.
TALKATIVE = ("aiokafka", "faust", "mode", "aiohttp.access", "urllib3", "asyncio")
REPEATS_HELD_S = 10.0
REPEATS_KNOWN = 256


class Repeats(logging.Filter):
    """Lets the same words of the Kafka client pass once in ten seconds, telling how many it held.

    While a broker is away each consumer says ten times a second that it is, which would push out
    of a log what came before.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record passes."""
        if not record.name.startswith("aiokafka"):
            return True
        words = (record.name, record.getMessage())
        said_at, held = self._said.get(words, (float("-inf"), 0))
        if record.created - said_at < REPEATS_HELD_S:
            self._said[words] = (said_at, held + 1)
            return False
        if len(self._said) >= REPEATS_KNOWN:
            self._said.clear()
        self._said[words] = (record.created, 0)
        if held:
            record.msg, record.args = f"{words[1]} ({held} more like it)", ()
        return True


def configure(role: str, level: str = "info", stream: TextIO | None = None) -> None:
    """Send structlog's and the standard library's records to `stream` (default: stderr)."""
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    last: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if out.isatty():
        last = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    render: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        hide,
        last,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.addFilter(Repeats())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=render)
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLogger().level))
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(role=role)


def hush_clients() -> None:
    """Leave the clients' own steps unsaid: who gave a command wants its answer alone."""
    for name in _STEPS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def hide(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take out of a record what names a person or opens a door.

    >>> hide(None, "info", {"event": "from anna@example.com", "phone": "1"})
    {'event': 'from (hidden)', 'phone': '(hidden)'}
    """
    return {key: _cleaned(key, value) for key, value in event.items()}


def cleaned(text: str) -> str:
    """Take e-mail addresses and passwords in addresses out of a text."""
    return URL_PASSWORD.sub(HIDDEN, EMAIL.sub(HIDDEN, text))


def _cleaned(key: str, value: object) -> object:
    if key in HIDDEN_KEYS:
        return HIDDEN
    if isinstance(value, str):
        return cleaned(value)
    if isinstance(value, dict):
        return {inner: _cleaned(str(inner), entry) for inner, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned("", entry) for entry in value]
    return value
