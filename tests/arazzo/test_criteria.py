"""Criteria: the three types, the leniencies that published documents need, and what is never a quiet no."""

from __future__ import annotations

from typing import Any

import pytest

from heddle.arazzo.conditions import Undecidable
from heddle.arazzo.criteria import Criterion, CriterionError, compile_criterion
from heddle.arazzo.expressions import ABSENT, Call, Message, Scope
from heddle.arazzo.leniency import Leniency, strict, without
from heddle.arazzo.patterns import found
from heddle.arazzo.templates import Compiler
from heddle.arazzo.tree import Place
from heddle.arazzo.xpaths import XPath, XPathError

PLACE = Place("doc.yaml", 7, 3)


def compiled(
    condition: str,
    kind: str,
    context: str | None = "$response.body",
    leniency: Leniency | None = None,
    version: Any = None,
) -> Criterion:
    compiler = Compiler(leniency or Leniency(), {"wanted"}, {"one"})
    return compile_criterion(condition, kind, version, context, compiler=compiler, place=lambda: PLACE)


def scope(body: Any, status: int = 200) -> Scope:
    call = Call("GET", "http://h", Message(), Message({}, body=body), status)
    return Scope(inputs={"wanted": "succeeded"}, steps={"one": {}}, call=call)


STATUS = "$.status == 'processing' || $.status == 'preparing' || $.status == 'unassigned'"


@pytest.mark.parametrize(
    ("condition", "body", "holds"),
    [
        (STATUS, {"status": "preparing", "steps": []}, True),
        (STATUS, {"status": "succeeded", "steps": []}, False),
        (STATUS, {"steps": []}, False),
        (STATUS, {}, False),
        ('$.status == "preparing"', {"status": "preparing"}, True),
        ("$.status != 'failed'", {}, True),
        ("$.results[0].flagged == true", {"results": [{"flagged": True}]}, True),
        ("$.results[0].flagged == true", {"results": []}, False),
        ("!$.error", {"ok": 1}, True),
        ("!$.error", {"error": "x"}, False),
        ("@.status == 'preparing'", {"status": "preparing"}, True),
        ("$.count > 3", {"count": 4}, True),
        ("$[0] == 1", [1], True),
        ("$ == 'x'", "x", None),
        ("$.pets[*]", {"pets": [1]}, True),
        ("$.pets[*]", {"pets": []}, False),
        ("$[?@.status == 'a']", [{"status": "a"}], True),
        ("$[?@.status == 'a']", {"status": "a"}, True),
        ("$[?@.status == 'a']", {"x": {"status": "a"}}, True),
        ("$[?@.status == 'a']", {"status": "b"}, False),
        ("$[?count(@.pets) > 0]", {"pets": [1]}, True),
        ("$[?count(@.pets) > 0]", {"dogs": [1]}, False),
        ("$.canDownload == true", {"canDownload": False}, False),
        ("$.canDownload == false", {"canDownload": False}, True),
        ("$.status == '{$inputs.wanted}'", {"status": "succeeded"}, True),
        ("$[?@ == '{$inputs.wanted}']", {"status": "succeeded"}, True),
    ],
)
def test_jsonpath(condition: str, body: Any, holds: bool | None) -> None:
    criterion = compiled(condition, "jsonpath")
    if holds is None:
        with pytest.raises(Undecidable):
            criterion.holds(scope(body))
    else:
        assert criterion.holds(scope(body)) is holds


@pytest.mark.parametrize("body", [None, ABSENT])
@pytest.mark.parametrize("kind", ["jsonpath", "regex"])
def test_without_a_context_nothing_holds(kind: str, body: Any) -> None:
    criterion = compiled("$.a != 1" if kind == "jsonpath" else ".*", kind)
    assert criterion.holds(scope(body)) is False
    assert criterion.blind(scope(body))  # type: ignore[union-attr]


def test_jsonpath_on_text_is_undecidable() -> None:
    with pytest.raises(Undecidable, match="needs JSON"):
        compiled("$.a == 1", "jsonpath").holds(scope("<html>"))


@pytest.mark.parametrize(
    "condition",
    [
        "$.status = 'a'",
        "status == 'a'",
        "$.a == 1] , [?$.b == 2",
        "",
        "$..",
        "$.a == 1, ?$.b == 1",
        "$.a == 1][?$.b == 1",
    ],
)
def test_what_is_no_jsonpath_refuses_the_document(condition: str) -> None:
    with pytest.raises(CriterionError):
        compiled(condition, "jsonpath")


def test_leniencies_are_told_once_and_can_be_switched_off() -> None:
    leniency = Leniency()
    criterion = compiled("$.a == 1", "jsonpath", leniency=leniency)
    assert leniency.used["bare-comparison"].place == PLACE
    assert criterion.holds(scope({"a": 1}))
    compiled("$[?@.a == 1]", "jsonpath", leniency=leniency).holds(scope({"a": 1}))
    assert set(leniency.used) == {"bare-comparison", "wrapped-root"}

    with pytest.raises(CriterionError, match=r"wants a query, such as `\$\[\?\$\.a == 1\]`"):
        compiled("$.a == 1", "jsonpath", leniency=strict())
    assert not compiled("$[?@.a == 1]", "jsonpath", leniency=without(["wrapped-root"])).holds(scope({"a": 1}))
    with pytest.raises(CriterionError, match="single quotes"):
        compiled('$statusCode == "200"', "simple", leniency=strict())


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ("^2\\d{2}$", "$statusCode", True),
        ("^3", "$statusCode", False),
        ("run", "$response.body#/status", True),
        ("^(succeeded|running)$", "$response.body#/status", True),
        ("^{$inputs.wanted}$", "$response.body#/status", False),
        ('"ok":true', "$response.body", True),
    ],
)
def test_regex(condition: str, context: str, holds: bool) -> None:
    assert compiled(condition, "regex", context).holds(scope({"status": "running", "ok": True})) is holds


def test_a_broken_regex_is_never_a_no() -> None:
    with pytest.raises(CriterionError, match="not a regular expression"):
        compiled("(", "regex")
    broken = compiled("({$inputs.wanted}", "regex")
    with pytest.raises(Undecidable):
        broken.holds(scope("x"))


def test_an_absent_value_inside_a_condition_is_undecidable() -> None:
    criterion = compiled("$.a == '{$steps.one.outputs.x}'", "jsonpath")
    with pytest.raises(Undecidable, match="did not resolve"):
        criterion.holds(scope({"a": ""}))


@pytest.mark.parametrize(
    ("kind", "version", "said"),
    [
        ("jsonpath", "2", "JSONPath version '2' is not known"),
        ("sql", None, "'sql' is not a type of criterion"),
    ],
)
def test_types_that_are_not_there_say_so(kind: str, version: str | None, said: str) -> None:
    with pytest.raises(CriterionError, match=said):
        compiled("$.a", kind, version=version)


def test_a_typed_criterion_needs_a_context() -> None:
    with pytest.raises(CriterionError, match="needs a `context`"):
        compiled("$.a", "jsonpath", context=None)
    with pytest.raises(CriterionError, match="is not a runtime expression"):
        compiled("$.a", "jsonpath", context="body")
    with pytest.raises(CriterionError, match="there is no step 'two'"):
        compiled("$steps.two.outputs.x == 1", "simple", context=None)


XML = '<?xml version="1.0"?><a><b n="1">hi</b><b n="2"/><c>5</c></a>'


@pytest.mark.parametrize(
    ("condition", "version", "holds"),
    [
        ("//b[@n = 2]", "xpath-10", True),
        ("//c > 5", "xpath-10", False),
        ("number(//b)", "xpath-10", False),
        ("count(//b) = 2", "xpath-20", True),
        ("//doc", "xpath-30", False),
        ("some $b in //b satisfies $b/@n = 2", None, True),
    ],
)
def test_xpath_by_its_effective_boolean_value(condition: str, version: str | None, holds: bool) -> None:
    pytest.importorskip("elementpath", reason="XPath needs the library elementpath")
    assert XPath(condition, version).holds(XML) is holds


@pytest.mark.parametrize(
    "condition",
    ["unparsed-text('file:///etc/passwd')", "fn:doc ('x')", "environment-variable('HOME')", "json-doc#1('x')", "//b["],
)
def test_xpath_stays_inside_the_answer(condition: str) -> None:
    with pytest.raises(XPathError):
        XPath(condition, None)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "document type"),
        ("<a", "is not XML"),
        ("<a>&x;</a>", "is not XML"),
    ],
)
def test_xml_that_is_refused_is_undecidable(answer: str, said: str) -> None:
    pytest.importorskip("elementpath", reason="XPath needs the library elementpath")
    with pytest.raises(Undecidable, match=said):
        XPath("//a", "xpath-10").holds(answer)


def test_a_pattern_that_never_ends_is_undecidable() -> None:
    with pytest.raises(Undecidable, match="within 1 s"):
        found("(a+)+$", "a" * 40 + "b")


@pytest.mark.parametrize(
    ("pattern", "subject", "there"), [("(ab)+c", "ab" * 20 + "c", True), ("a+b", "a" * 5000, False)]
)
def test_a_pattern_that_may_take_long_is_searched_elsewhere(pattern: str, subject: str, there: bool) -> None:
    assert found(pattern, subject) is there
