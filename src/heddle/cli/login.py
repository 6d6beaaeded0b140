"""`heddle login` and `heddle logout`: which servers this user has a token for."""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import click
import httpx

from heddle.cli import credentials
from heddle.errors import UsageError

_TIMEOUT_S = 15.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@click.command()
@click.argument("url")
@click.option(
    "--token",
    help="The token; others may see it in the list of processes. Default: asked for, or read from standard input.",
)
def login(url: str, token: str | None) -> None:
    """Check a token with a server and remember it, in a file that only you can read.

    Commands that talk to a server use the one of the last login.

    \b
    Examples:
      heddle login http://127.0.0.1:8765
      cat token.txt | heddle login https://heddle.example.org
    """
    known = credentials.load()
    server = credentials.origin_of(url)
    clear = (token if token is not None else _ask(server)).strip()
    username = _check(url.rstrip("/"), clear)
    file = credentials.save(known.with_token(url, clear))
    click.echo(f"logged in to {server} as {username}; the token is in {file}")
    if urlsplit(server).scheme == "http" and not _is_loopback(server):
        click.echo("note: this server is reached by plain http, so everybody on the way can read the token", err=True)


@click.command()
@click.argument("url", required=False)
def logout(url: str | None) -> None:
    """Forget the token of a server; without URL, of the last one logged in to. The token itself stays valid.

    \b
    Examples:
      heddle logout
      heddle logout https://heddle.example.org
    """
    known = credentials.load()
    chosen = url or known.default
    if chosen is None or known.token_for(chosen) is None:
        have = ", ".join(sorted(known.tokens)) or "none"
        raise UsageError(f"there is no login for {chosen or 'any server'}", f"logins here: {have}")
    credentials.save(known.without(chosen))
    click.echo(f"logged out of {credentials.origin_of(chosen)}; `heddle tokens revoke` on the server ends the token")


def _ask(server: str) -> str:
    if sys.stdin.isatty():
        return click.prompt(f"Token for {server}", hide_input=True, err=True)
    return sys.stdin.readline()


def _check(url: str, token: str) -> str:
    """The name of the token's account. Raises UsageError when the server does not take the token."""
    if not token or not token.isascii() or any(c.isspace() for c in token):
        raise UsageError("that is not a token: it is one word such as hd_…", "`heddle tokens create NAME` makes one")
    # A proxy of this machine is for the world outside it.
    with httpx.Client(timeout=_TIMEOUT_S, trust_env=not _is_loopback(url)) as client:
        try:
            answer = client.get(f"{url}/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        except httpx.HTTPError as error:
            raise UsageError(f"{url} cannot be reached: {error}", "is `heddle serve` running there?") from error
    if answer.status_code == 401:
        raise UsageError(f"{url} does not know this token", "`heddle tokens create NAME` on the server makes one")
    return _username(url, answer)


def _username(url: str, answer: httpx.Response) -> str:
    try:
        return str(answer.raise_for_status().json()["username"])
    except (httpx.HTTPStatusError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{url}/api/v1/me answered {answer.status_code}, and not as Heddle would", "check the address"
        ) from error


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK
