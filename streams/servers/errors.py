"""What can go wrong with the servers and roles on this machine.

- ServerError
  - PortTaken: somebody else listens where we must
  - NotStarted: a server or role died or stayed silent; its last log lines are in the text
  - WrongJars: a downloaded file is not the pinned one
  - DirectoryTaken: another installation runs on the same data directory
"""


class ServerError(Exception):
    """Base of all; the text is one clear sentence for the operator."""


class PortTaken(ServerError):
    """Somebody else listens where we must."""


class NotStarted(ServerError):
    """A server or role died or stayed silent."""


class WrongJars(ServerError):
    """A downloaded file is not the pinned one."""


class DirectoryTaken(ServerError):
    """Another installation runs on the same data directory."""
