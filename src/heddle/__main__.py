"""`python -m heddle` is the command `heddle`."""

from __future__ import annotations

from heddle.cli.main import main

if __name__ == "__main__":
    main()
