"""Pages of one file: no script, no request to anywhere, light or dark as the reader's system is.

Everything that becomes HTML goes through `tag`, which escapes whatever is not Markup: an answer never becomes a page.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from heddle.cli.narration import printable
from heddle.errors import UsageError

_VOID = frozenset({"meta", "br"})


class Markup(str):
    """HTML that was made here."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: str | float | bool | None) -> Markup:
    """`tag("p", "1 < 2", class_="note")`; a child or an attribute that is None is left out, True is a bare name."""
    shown = "".join(
        _attribute(key, value) for key, value in attributes.items() if value is not None and value is not False
    )
    opened = f"<{name}{shown}>"
    return Markup(opened if name in _VOID else f"{opened}{''.join(map(escaped, children))}</{name}>")


def escaped(text: str | None) -> Markup:
    if text is None:
        return Markup()
    return text if isinstance(text, Markup) else Markup(html.escape(printable(text), quote=True))


def joined(parts: Iterable[str | None]) -> Markup:
    return Markup("".join(map(escaped, parts)))


def _attribute(key: str, value: str | float | bool) -> str:
    name = key.removesuffix("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(printable(str(value)), quote=True)}"'


def page(title: str, *body: str | None) -> str:
    """The whole file. The policy in its head forbids scripts and requests, should anything ever slip through."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content="default-src 'none'; style-src 'unsafe-inline'"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", tag("main", *body)), lang="en") + "\n"


def write_page(path: Path, text: str, what: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"the {what} {path} cannot be written: {error.strerror}") from error


def fact(name: str, value: str | None) -> Markup:
    """A name and a value in the row below a title."""
    return tag("div", tag("dt", name), tag("dd", value)) if value else Markup()


def pretty(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)


def section(title: str, *body: str | None) -> Markup:
    return tag("section", tag("h2", title), *body)


STYLE = """
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --ink: #1c2330; --soft: #5d6778; --line: #dde2ea;
  --good: #18794e; --good-soft: #d9f2e4; --bad: #c62a2f; --bad-soft: #fde3e3; --warn: #946200; --warn-soft: #fdf0cf;
  --bar: #3b7ddd; --wait: #c3cad6; --taken: #2563c9; --code: #f1f3f7; }
@media (prefers-color-scheme: dark) { :root { --page: #10141b; --card: #181e28; --ink: #e4e8ef; --soft: #98a3b5;
  --line: #2b3443; --good: #5fd39a; --good-soft: #12392a; --bad: #ff8b8b; --bad-soft: #48191c; --warn: #f1c15b;
  --warn-soft: #3f3111; --bar: #5b98f0; --wait: #3d4859; --taken: #79adff; --code: #11161e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 0 0 10px; }
h3 { font-size: 13px; margin: 12px 0 4px; color: var(--soft); font-weight: 600; }
p { margin: 6px 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px;
  margin: 18px 0; }
.soft { color: var(--soft); }
.badge { display: inline-block; border-radius: 999px; padding: 2px 12px; font-weight: 600; font-size: 14px; }
.good { color: var(--good); background: var(--good-soft); }
.bad { color: var(--bad); background: var(--bad-soft); }
.warn { color: var(--warn); background: var(--warn-soft); }
.reason { border-radius: 8px; padding: 10px 14px; margin: 14px 0 0; overflow-wrap: anywhere; }
dl.facts { display: flex; flex-wrap: wrap; gap: 6px 34px; margin: 14px 0 0; }
dl.facts dt { font-size: 12px; color: var(--soft); }
dl.facts dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
pre, code { font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { background: var(--code); border: 1px solid var(--line); border-radius: 6px; padding: 8px 10px; margin: 4px 0;
  white-space: pre-wrap; overflow-wrap: anywhere; max-height: 420px; overflow: auto; }
table { border-collapse: collapse; width: 100%; }
td, th { text-align: left; vertical-align: top; padding: 5px 14px 5px 0; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
tr:first-child > td, tr:first-child > th { border-top: 0; }
th { font-weight: 600; white-space: nowrap; width: 1%; }
td pre { margin: 0; }
details { border-top: 1px solid var(--line); }
details:first-of-type { border-top: 0; }
summary { cursor: pointer; padding: 6px 0; }
summary:hover { background: color-mix(in srgb, var(--bar) 7%, transparent); }
details > .inside { padding: 2px 0 14px 20px; }
.row { display: inline-grid; align-items: center; vertical-align: middle;
  grid-template-columns: minmax(110px, 190px) minmax(120px, 1fr) 46px minmax(160px, 34%) 72px;
  gap: 12px; width: calc(100% - 22px); }
.row > * { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.row .name { font-weight: 600; }
.row .call { font: 12.5px ui-monospace, Menlo, Consolas, monospace; color: var(--soft); }
.row .time { text-align: right; font-variant-numeric: tabular-nums; }
.row .code { text-align: center; border-radius: 5px; font-size: 13px; font-variant-numeric: tabular-nums; }
.waits { padding: 3px 0; border-top: 1px solid var(--line); color: var(--soft); font-size: 13px; }
.waits .row { width: calc(100% - 22px); margin-left: 18px; }
.waits .row .name { font-weight: 400; }
.track { position: relative; height: 12px; background: var(--code); border-radius: 3px; }
.track i { position: absolute; top: 0; bottom: 0; min-width: 2px; border-radius: 3px; background: var(--bar); }
.track i.pause { background: var(--wait); }
.track i.failed { background: var(--bad); }
ul.plain { margin: 0; padding: 0; list-style: none; }
ul.plain li { padding: 5px 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
ul.plain li:first-child { border-top: 0; }
.scroll { overflow-x: auto; }
svg { display: block; margin: 0 auto; }
svg text { fill: var(--ink); font: 13px system-ui, "Segoe UI", Roboto, sans-serif; }
svg .id { font-weight: 600; font-size: 14px; }
svg .mono, svg .when { font: 11.5px ui-monospace, Menlo, Consolas, monospace; fill: var(--soft); }
svg .small { font-size: 11.5px; fill: var(--soft); }
svg .node { fill: var(--card); stroke: var(--soft); stroke-width: 1.2; }
svg .edge { fill: none; stroke: var(--soft); stroke-width: 1.3; }
svg .head { fill: var(--soft); }
svg .failure { stroke-dasharray: 5 4; }
svg .ran .node, svg .node.ran { stroke: var(--good); stroke-width: 2; fill: var(--good-soft); }
svg .broke .node { stroke: var(--bad); stroke-width: 2; fill: var(--bad-soft); }
svg .idle { opacity: .45; }
svg .taken .edge { stroke: var(--taken); stroke-width: 2.6; }
svg .taken .head { fill: var(--taken); }
svg .taken .count { fill: var(--taken); font-weight: 700; }
@media (max-width: 760px) { .row { grid-template-columns: 1fr 46px 70px; } .row .call, .row .track { display: none; } }
@media print { body { background: #fff; } section { break-inside: avoid; } }
"""
