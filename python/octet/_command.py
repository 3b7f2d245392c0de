"""The octet command that comes with the package."""
from __future__ import annotations

import os
import sys

from . import _native


def main() -> None:
    """The `octet` script: becomes the program."""
    path = str(_native.file_of_build("octet", "bin"))
    os.execv(path, ["octet", *sys.argv[1:]])
