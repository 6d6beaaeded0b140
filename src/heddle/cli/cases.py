"""`heddle run` of many: several documents, or a document for every row of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from heddle.cli import auth
from heddle.cli.asked import Asked, check_files, given_inputs, hosts_of, options_of
from heddle.cli.output import is_terminal
from heddle.cli.targets import Target, embedded_target, filled_in, nowhere, plan_of, secrets_of, target_of
from heddle.errors import UsageError

if TYPE_CHECKING:
    from heddle.arazzo.plan import Plan
    from heddle.cli import reports
    from heddle.cli.boards import Board
    from heddle.cli.many import Case
    from heddle.cli.tables import Row


def run_many(every: Sequence[Asked], each: Path | None, limit: int, *, fail_fast: bool) -> int:
    """Each document with each row."""
    from heddle.arazzo.masking import Secrets  # noqa: PLC0415
    from heddle.cli import joint_reports, many, reports, tables  # noqa: PLC0415

    first = every[0]
    first.checkpoint.check()
    if first.dry_run:
        raise UsageError("--dry-run looks at one run", "give one document and no --each")
    if first.trace is not None or first.mock:
        option = "--mock" if first.mock else "--trace"
        raise UsageError(f"{option} is for one run", "give one document and no --each")
    hosts_of(first, ())
    joint, own = joint_reports.split([reports.asked_of(text) for text in first.reports])
    rows = [tables.Row("")] if each is None else tables.rows_of(each)
    numbers = range(1, len(every) * len(rows) + 1)
    files = [one.path for number in numbers for one in joint_reports.of_run(own, number)]
    check_files(every, [*files, *(one.path for one in joint)], each)
    opened = target_of(first)
    if opened is None:
        first.checkpoint.check_server()
        _cases(every, rows, nowhere(), own)  # everything that can be wrong, before a server is started
        opened = embedded_target()
    with opened as target:
        cases = _cases(every, rows, target, own)
        first.checkpoint.make_folder()
        secrets = Secrets(text for case in cases for text in case.secrets.texts)
        batch = many.Batch(cases, _board(first, len(cases)), limit, fail_fast, secrets, _notes(cases, target))
        from heddle.arazzo.exchange import Client  # noqa: PLC0415
        from heddle.arazzo.hosts import GuardedTransport  # noqa: PLC0415

        hosts = hosts_of(first, [server for case in cases for server in case.plan.servers()])
        batch.carry_out(lambda: Client(GuardedTransport(hosts)))
    joint_reports.write(joint, batch)
    click.echo(joint_reports.as_json(batch) if first.as_json else many.closing(batch), nl=False)
    return batch.exit_code


def _notes(cases: Sequence[Case], target: Target) -> list[str]:
    """Which credentials the runs send, and which are missing; what many of them have in common is said once."""
    filled = dict.fromkeys(name for case in cases for name in case.filled)
    plans = {id(case.plan): case.plan for case in cases}.values()
    about = dict.fromkeys(text for plan in plans for text in auth.notes(plan))
    return [*(f"the input {name!r} is filled with the token of {target.name}" for name in filled), *about]


def _cases(every: Sequence[Asked], rows: Sequence[Row], target: Target, own: Sequence[reports.Asked]) -> list[Case]:
    """All runs that are to be made, numbered through; a document is read and planned once."""
    cases: list[Case] = []
    for asked in every:
        planned = _planned(asked, target)
        for row in rows:
            label = " ".join(part for part in (str(asked.document) if len(every) > 1 else "", row.place) if part)
            cases.append(_case(asked, planned, row, target, own, number=len(cases) + 1, label=label))
    return cases


def _planned(asked: Asked, target: Target) -> tuple[Plan, Mapping[str, Any]]:
    """With the inputs of the command line, which all rows share."""
    from heddle.arazzo.document import read_document  # noqa: PLC0415

    plan = plan_of(asked, read_document(asked.document), target)
    return plan, given_inputs(asked, plan.main.inputs)


def _case(
    asked: Asked,
    planned: tuple[Plan, Mapping[str, Any]],
    row: Row,
    target: Target,
    own: Sequence[reports.Asked],
    *,
    number: int,
    label: str,
) -> Case:
    from heddle.cli import joint_reports, many, reports  # noqa: PLC0415

    plan, common = planned
    schema = plan.main.inputs
    given = {**common, **row.inputs(schema)}
    filled = filled_in(plan, given, target)
    given |= filled
    try:
        values = schema.bind(given)
    except UsageError as error:
        raise row.error(error) from error
    secrets, options = secrets_of(plan, values, target), options_of(asked)
    kept = asked.checkpoint.of_run(number)
    files = joint_reports.of_run(own, number)
    steps = [step.id for step in plan.main.steps]
    return many.Case(
        number=number,
        label=label,
        document=asked.document,
        plan=plan,
        inputs=values,
        secrets=secrets,
        options=options,
        filled=tuple(filled),
        journal=lambda: kept.opened(plan, values, secrets, options),
        save=None if asked.save is None else asked.save / str(number),
        narrator=reports.Files(files, secrets, str(asked.document), steps) if files else None,
    )


def _board(asked: Asked, total: int) -> Board:
    from heddle.cli import boards  # noqa: PLC0415

    if asked.as_json:
        return boards.Silent()
    return boards.Terminal(total) if is_terminal() else boards.Lines(total)
