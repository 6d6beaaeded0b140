"""What tests ask of a page: that it stands alone, and that what is hostile stays text."""

from __future__ import annotations

from html.parser import HTMLParser

EVIL = '</pre></details><script>document.title="owned"</script><img src=x onerror=alert(1)>"\'&\x07\u202e'
ALLOWED = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "h1", "h2", "h3", "p", "span"),
    *("code", "pre", "dl", "div", "dt", "dd", "details", "summary", "table", "tr", "th", "td", "ul", "li", "a", "i"),
    *("strong", "svg", "g", "rect", "path", "text", "tspan", "polygon", "circle"),
}


class Tags(HTMLParser):
    """Everything that a browser would take for an element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def check(text: str) -> Tags:
    """A page that stands alone: elements of ours only, no script, nothing from elsewhere."""
    tags = Tags(text)
    assert {name for name, _ in tags.found} <= ALLOWED
    for _, attributes in tags.found:
        assert not any(name.startswith("on") or name in ("src", "srcset") for name in attributes)
        assert (attributes.get("href") or "./").startswith(("./", "#"))
    assert "url(" not in text
    assert "@import" not in text
    return tags
