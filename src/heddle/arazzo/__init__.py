"""A runner of Arazzo documents. It speaks HTTP only and knows nothing of the server it talks to.

The way of a run, file by file:
`tree` (text to values with places) → `document` (the shape) → `plan` (every expression and criterion compiled, every
operation found) → `runner` (the engine: an event stream) → `requests` and `exchange` (one HTTP call).
`expressions`, `conditions` and `criteria` are the three small languages; `leniency` names every departure from the
specification that published documents need.
"""

from __future__ import annotations
