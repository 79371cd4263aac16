"""The one way a role ends when its memory can no longer be trusted."""

import logging
import os

import structlog

log = structlog.get_logger(__name__)
FAILED = 70


def end_process(reason: str, error: BaseException | None = None) -> None:
    """End this process at once, saying why; the supervisor starts it again.

    `sys.exit` would only raise in the task it is called from and hang the rest (faust issue 324).
    """
    log.critical("process ends", reason=reason, error=repr(error) if error else "")
    logging.shutdown()
    os._exit(FAILED)
