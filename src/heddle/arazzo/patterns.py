"""Regular expressions of documents, searched within a bound of time.

Python's engine may take time that is exponential in the text, and cannot be stopped. Most patterns are harmless and are
searched here; one that repeats a group, or repeats much over a long text, is searched in a process that can be ended.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import lru_cache

from heddle.arazzo.conditions import Undecidable

SECONDS = 1.0
MAX_SUBJECT = 100_000
MAX_PATTERN = 10_000
_HARMLESS_STEPS = 10_000_000
_PROGRAM = (
    "import json, re, sys; pattern, subject = json.load(sys.stdin); print(re.search(pattern, subject) is not None)"
)
_RISKY = re.compile(r"\)[*+?{]|\\[1-9]|\(\?P=|\(\?\(")
_REPEATS = re.compile(r"(?<!\\)[*+]|(?<!\\)\{\d*,\d*\}")


def found(pattern: str, subject: str) -> bool:
    """Whether the pattern is somewhere in the subject; raises Undecidable when that takes too long, re.error else."""
    expression = compiled(pattern)
    if len(subject) > MAX_SUBJECT:
        raise Undecidable(f"the context of {pattern!r} is longer than {MAX_SUBJECT} characters")
    if is_harmless(pattern, len(subject)):
        return expression.search(subject) is not None
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            input=json.dumps([pattern, subject]).encode(),
            capture_output=True,
            timeout=SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise Undecidable(f"{pattern!r} was not found or ruled out within {SECONDS:g} s") from error
    except subprocess.CalledProcessError as error:
        raise Undecidable(f"{pattern!r} could not be searched for") from error
    return done.stdout.strip() == b"True"


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    """Raises re.error."""
    if len(pattern) > MAX_PATTERN:
        raise re.error(f"a pattern may have {MAX_PATTERN} characters")
    try:
        return re.compile(pattern)
    except (RecursionError, OverflowError, MemoryError) as error:
        raise re.error("it is too deeply nested, or repeats too often") from error


def is_harmless(pattern: str, length: int) -> bool:
    """A search starts at every character, and every unbounded repeat may look at all of them again."""
    repeats = len(_REPEATS.findall(pattern))
    risky = length > 16 and _RISKY.search(pattern) is not None
    return not risky and repeats < 64 and max(length, 1) ** (repeats + 1) <= _HARMLESS_STEPS
