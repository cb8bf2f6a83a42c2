"""``zumo user``: who may sign in to the admin."""

from __future__ import annotations

import sys
from typing import Any

import click

from zumolib.cli.effects import writes
from zumolib.cli.output import say

_from_input = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")


@click.group()
def user() -> None:
    """Accounts of the admin."""


@user.command()
@click.argument("name")
@click.option("--email", default="", help="Where Django would write to.")
@_from_input
@writes
def add(name: str, email: str, password_stdin: bool) -> None:
    """Make an account that may do everything in the admin; asks for its password."""
    from zumolib.errors import InputError

    users = _users()
    if users.filter(username=name).exists():
        raise InputError(
            f"there is a user {name!r} already; `zumo user password {name}` changes the password"
        )
    made = users.model(username=name, email=email, is_staff=True, is_superuser=True)
    _set_password(made, password_stdin)
    say("user", f"{name} may sign in")


@user.command()
@click.argument("name")
@_from_input
@writes
def password(name: str, password_stdin: bool) -> None:
    """Change the password of an account."""
    from zumolib.errors import InputError

    users = _users()
    found = users.filter(username=name).first()
    if found is None:
        known = ", ".join(users.order_by("username").values_list("username", flat=True)[:10])
        raise InputError(f"there is no user {name!r}; known: {known or 'nobody, see `zumo user add`'}")
    _set_password(found, password_stdin)
    say("user", f"{name} has a new password")


def _users() -> Any:
    """The accounts of the workbench's own database.

    Raises
    ------
    Foreign
        When the database is another project's, whose accounts are not ours to make or to change.
    """
    from zumolib.database import orm
    from zumolib.deployment import ownership

    ownership.require_database()
    orm.ready()
    from django.contrib.auth import get_user_model

    return get_user_model().objects


def _set_password(account: Any, from_input: bool) -> None:
    """Give an account a password that Django's validators accept, and save it.

    Raises
    ------
    InputError
        When the name or the password is not acceptable; says why.
    """
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    from zumolib.errors import InputError

    if from_input:
        word = sys.stdin.readline().rstrip("\n")
    else:
        word = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        account.set_password(word)
        account.full_clean()
        validate_password(word, account)
    except ValidationError as error:
        raise InputError(f"user {account.username!r}: {' '.join(error.messages)} Choose another.") from None
    account.save()


COMMANDS = (user,)
