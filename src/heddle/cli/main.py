"""The command `heddle`. A command's module is imported when that command runs, so that starting costs little."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

import click

from heddle import __version__
from heddle.errors import HeddleError, InvalidRequest, UsageError


@dataclass(frozen=True, slots=True)
class Row:
    """One command: where it is listed, where it lives, what it does."""

    section: str
    target: str
    help: str


_WORK, _MONEY, _SERVER = "Generate", "Accounts and Buzz", "Run a server"

COMMANDS: Mapping[str, Row] = {
    "run": Row(_WORK, "heddle.cli.run:run", "Run an Arazzo document."),
    "arazzo": Row(_WORK, "heddle.cli.arazzo:arazzo", "Check and show Arazzo documents."),
    "submit": Row(_WORK, "heddle.cli.workflows:submit", "Submit a workflow and save what it makes."),
    "ps": Row(_WORK, "heddle.cli.workflows:ps", "List workflows."),
    "logs": Row(_WORK, "heddle.cli.workflows:logs", "Show what the jobs of a workflow said."),
    "cancel": Row(_WORK, "heddle.cli.workflows:cancel", "Cancel a workflow."),
    "login": Row(_WORK, "heddle.cli.login:login", "Remember the token of a server."),
    "logout": Row(_WORK, "heddle.cli.login:logout", "Forget the token of a server."),
    "serve": Row(_SERVER, "heddle.cli.serve:serve", "Start the server."),
    "api": Row(_SERVER, "heddle.cli.processes:api", "Answer requests only (PostgreSQL)."),
    "dispatch": Row(_SERVER, "heddle.cli.processes:dispatch", "Run jobs only (PostgreSQL)."),
    "chores": Row(_SERVER, "heddle.cli.processes:chores", "Do the periodic duties only (PostgreSQL)."),
    "engines": Row(_SERVER, "heddle.cli.engines:engines", "List engines, their families, samplers and files."),
    "doctor": Row(_SERVER, "heddle.cli.doctor:doctor", "Say what can run here, and why not."),
    "backup": Row(_SERVER, "heddle.cli.backup:backup", "Write the data folder to one file."),
    "restore": Row(_SERVER, "heddle.cli.backup:restore", "Fill an empty data folder from a backup."),
    "blobs": Row(_SERVER, "heddle.cli.blobs:blobs_", "Remove what nobody names; check that all bytes are there."),
    "fleet": Row(_SERVER, "heddle.cli.fleet:fleet", "Run a Ray cluster: up, status, drain."),
    "models": Row(_SERVER, "heddle.cli.models:models", "Add, list and remove catalog models."),
    "webhooks": Row(_SERVER, "heddle.cli.webhooks:webhooks", "Deliver webhooks only (PostgreSQL); list and replay."),
    "accounts": Row(_MONEY, "heddle.cli.tokens:accounts_", "Create and list accounts."),
    "tokens": Row(_MONEY, "heddle.cli.tokens:tokens", "Create, list and revoke tokens."),
    "buzz": Row(_MONEY, "heddle.cli.buzz:buzz", "Grant Buzz and show balances."),
    "ledger": Row(_MONEY, "heddle.cli.ledger:ledger_", "Prove that the books are right."),
}


class Commands(click.Group):
    """The group of all commands, from the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = COMMANDS.get(cmd_name)
        if row is None:
            return None
        module, _, name = row.target.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section in dict.fromkeys(row.section for row in COMMANDS.values()):
            with formatter.section(section):
                formatter.write_dl([(name, row.help) for name, row in COMMANDS.items() if row.section == section])

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; what goes wrong is one sentence and a hint, and exit status 1."""
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.ClickException, click.Abort, BrokenPipeError):
            raise  # click knows what to do with these
        except KeyboardInterrupt:
            click.echo("\ninterrupted", err=True)
            ctx.exit(130)
        except Exception as error:  # noqa: BLE001 - the last place where an error can become a sentence
            if ctx.params.get("debug"):
                traceback.print_exc()
            _explain(error)
            ctx.exit(1)


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command has --help with examples. Settings are environment variables; "
    "`heddle doctor --settings` lists them.",
)
@click.version_option(__version__, "-V", "--version", prog_name="heddle", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, envvar="HEDDLE_DEBUG", help="Show tracebacks.")
def cli(debug: bool) -> None:
    """Heddle: a generation cloud on your own machines, and a runner for Arazzo documents.

    \b
    Examples:
      heddle serve
      heddle submit --prompt "a red fox in the snow" --save out
      heddle run workflow.arazzo.yml -i prompt="a red fox in the snow"
    """


def main() -> None:
    """The entry point of the command."""
    cli(prog_name="heddle")


def _explain(error: Exception) -> None:
    """One sentence on stderr, and what to do."""
    if isinstance(error, UsageError):
        _say(error.message, error.hint)
    elif isinstance(error, InvalidRequest) and len(error.fields) > 1:
        _say("; ".join(f"{path}: {messages[0]}" for path, messages in error.fields.items()))
    elif isinstance(error, HeddleError):
        _say(error.message)
    elif isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        part = error.object[max(0, error.start - 20) : error.end + 20]
        _say(f"{part!r} holds bytes that are no text in UTF-8", "check its encoding")
    elif isinstance(error, OSError) and error.strerror:
        _say(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    else:
        _say(f"this is a bug: {type(error).__name__}: {error}", "run it again with `heddle --debug ...` and report it")


def _say(message: str, hint: str = "") -> None:
    click.echo(f"heddle: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)
