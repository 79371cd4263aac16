"""The one way a role ends when its memory can no longer be trusted, or should not begin."""

import logging
import os

import structlog

from models.customer import NewerState

log = structlog.get_logger(__name__)
FAILED = 70
REFUSED = 78
"""Starting again can't help: the supervisor gives up and says why."""


def end_process(reason: str, error: BaseException | None = None) -> None:
    """End this process at once, saying why; the supervisor starts it again.

    Not after a row of a later version: then it says so and ends for good. `sys.exit` would only
    raise in the task it is called from and hang the rest (faust issue 324).
    """
    if isinstance(error, NewerState):
        log.critical("refused to run", reason=str(error))
        code = REFUSED
    else:
        log.critical("process ends", reason=reason, error=repr(error) if error else "")
        code = FAILED
    logging.shutdown()
    os._exit(code)
