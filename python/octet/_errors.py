"""What goes wrong: a status and a sentence."""
from __future__ import annotations

import enum


class Status(enum.IntEnum):
    """octet_status of octet.h."""

    OK = 0
    INVALID_ARGUMENT = 1  # an index, a shape, a type or a name that does not fit
    IO_ERROR = 2  # a file could not be opened, read, mapped or written
    INVALID_MODEL = 3  # the bytes are not a valid model
    UNSUPPORTED = 4  # a valid model that this build cannot run
    OUT_OF_MEMORY = 5
    RAM_LIMIT = 6  # more RAM is needed than the limit allows; the text has the number
    RUN_ERROR = 7  # an input value made an operator fail, e.g. an index out of range


class Error(RuntimeError):
    """Every failure of this package. `status` says of what kind, `text` what was wrong."""

    def __init__(self, status: Status | int, text: str) -> None:
        try:
            self.status = Status(status)
        except ValueError:  # of a newer library
            self.status = Status.INVALID_ARGUMENT
        self.text = text
        super().__init__(self.status, text)

    def __str__(self) -> str:
        return f"{self.text} ({self.status.name})"
