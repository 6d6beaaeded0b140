"""XPath: what it selects, where it sets a value, and what it may not do."""

from __future__ import annotations

import time
from typing import Any

import pytest

from heddle.arazzo.conditions import Undecidable
from heddle.arazzo.xpath_engine import VERSIONS, XPathError
from heddle.arazzo.xpaths import compile_xpath

pytest.importorskip("elementpath", reason="XPath needs the library elementpath")

HEAD = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<e:Env xmlns:e="u" xmlns="d" e:k="1" k="2"><!-- é -->'
XML = HEAD + "<H é='ö'>é</H><e:B a='x>y'/><n xmlns=''>t<b/>u</n><f>1.50</f><f>2</f></e:Env>"


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/e:Env/e:B", [""]),
        ("/e:Env/e:B/@a", ["x>y"]),
        ("//n", ["t<b />u"]),
        ("//@k", ["2"]),
        ("//@e:k", ["1"]),
        ("//*:H", ["é"]),
        ("//H", []),
        ("//*:f", ["1.50", "2"]),
        ("sum(//*:f)", [3.5]),
        ("count(//*)", [7]),
        ("//n/text()", ["t", "u"]),
        ("1 to 3", [1, 2, 3]),
        ("//n = 'x'", [False]),
    ],
)
def test_values(path: str, values: list[Any]) -> None:
    assert compile_xpath(path, None).values(XML) == values


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("/e:Env/e:B", "<e:B a='x>y'/>", "<e:B a='x>y'>&lt;\"&amp;é&gt;</e:B>"),
        ("/e:Env/e:B/@a", "a='x>y'", "a='&lt;\"&amp;é&gt;'"),
        ("//@k", ' k="2"', " k='&lt;\"&amp;é&gt;'"),
        ("//@e:k", 'e:k="1"', "e:k='&lt;\"&amp;é&gt;'"),
        ("//n", ">t<b/>u<", '>&lt;"&amp;é&gt;<'),
        ("//*:H/text()", ">é</H>", '>&lt;"&amp;é&gt;</H>'),
    ],
)
def test_a_value_is_set_and_no_other_byte_changes(path: str, before: str, after: str) -> None:
    assert XML.count(before) == 1
    assert compile_xpath(path, None).replaced(XML, '<"&é>') == XML.replace(before, after)


def test_every_selected_place_is_set() -> None:
    assert (
        compile_xpath("//a", None).replaced("<r><a>1</a><a/><a><a/></a></r>", "x") == "<r><a>x</a><a>x</a><a>x</a></r>"
    )


@pytest.mark.parametrize(
    ("path", "said"),
    [("//gone", "leads nowhere"), ("count(//*)", "is a value"), ("//comment()", "nowhere"), ("//q:a", "not declared")],
)
def test_no_place(path: str, said: str) -> None:
    with pytest.raises(Undecidable, match=said):
        compile_xpath(path, None).replaced(XML, "x")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_effective_boolean_value(version: str) -> None:
    answers = [compile_xpath(path, version).holds("<a><b/></a>") for path in ("''", "'0'", "0", "/a/b", "/a/c")]
    assert answers == [False, True, False, True, False]


def test_several_values_are_neither_true_nor_false() -> None:
    with pytest.raises(Undecidable, match="effective boolean value"):
        compile_xpath("('', '')", "xpath-31").holds("<a/>")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("//*[", "is not XPath"),
        ("f(1)", "unknown function"),
        ("doc('file:///etc/passwd')", "reaches outside"),
        ("fn:unparsed-text('/etc/passwd')", "reaches outside"),
        ("environment-variable('PATH')", "reaches outside"),
        ("(" * 3000, "is not XPath"),
        ("a" * 20_000, "may have 10000 characters"),
    ],
)
def test_what_is_refused(path: str, said: str) -> None:
    with pytest.raises(XPathError, match=said):
        compile_xpath(path, None)


@pytest.mark.parametrize(
    "path",
    [
        "count(for $a in //b, $b in //b, $c in //b return 1) > 0",
        "//b[//b[//b[//b[. = '2']]]]",
        "some $a in //b satisfies matches(string-join(for $x in //b return 'a'), '(a+)+b$')",
    ],
)
def test_time_is_bounded(path: str) -> None:
    xml = "<a>" + "<b>1</b>" * 2000 + "c</a>"
    started = time.monotonic()
    with pytest.raises(Undecidable, match=r"within 1 s|memory"):
        compile_xpath(path, None).holds(xml)
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("path", ["count(1 to 1000000000)", "matches('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab', '(a+)+$')"])
def test_time_is_bounded_when_it_is_read(path: str) -> None:
    """The library works out what is constant while it reads."""
    with pytest.raises(XPathError, match=r"within 1 s|memory"):
        compile_xpath(path, None)


@pytest.mark.parametrize(
    ("xml", "said"),
    [
        ("<a", "not XML"),
        ("", "not XML"),
        ("<a>" * 1000, "nested more than"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        ("<a>&x;</a>", "not XML"),
        ("<a>" + "x" * 1_000_000 + "</a>", "longer than"),
    ],
)
def test_xml_that_is_refused(xml: str, said: str) -> None:
    with pytest.raises(Undecidable, match=said):
        compile_xpath("/a", None).holds(xml)
