"""docker/nginx.conf in a real nginx: what it routes where, and what the server behind it is told."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import yaml

from tests.integration.own_process import OwnProcess, listens, passes
from tests.services.missing import missing
from tests.services.ports import free_port

READER = ("operator", "a-password-of-this-test")
CONFIGURATION = Path(__file__).resolve().parents[2] / "docker" / "nginx.conf"
SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
NGINX = shutil.which("nginx", path=SEARCHED)


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked, and by which name it goes."""

    def do_GET(self) -> None:
        body = json.dumps({"server": self.server.name, "path": self.path, "headers": dict(self.headers)})
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Keep the test's output quiet."""


@pytest.fixture(scope="module")
def behind():
    """Address of a stand-in for each server that nginx leads to."""
    servers = {}
    for name in ("web", "jupyter"):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
        server.name = name
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers[name] = server
    yield {name: f"http://127.0.0.1:{server.server_address[1]}" for name, server in servers.items()}
    for server in servers.values():
        server.shutdown()
        server.server_close()


@dataclass
class Nginx:
    """A running server."""

    pages: str
    reports: str
    process: OwnProcess


@pytest.fixture(scope="module")
def running(tmp_path_factory, behind):
    if NGINX is None:
        missing("nginx is not installed (Debian's package nginx-light)")
    folder = tmp_path_factory.mktemp("nginx")
    folder.chmod(0o755)
    day = folder / "reports" / "2026-01-16"
    day.mkdir(parents=True)
    (day / "daily.html").write_text("<title>Daily report</title>")
    (folder / "mime.types").write_text("types { text/html html; }")
    port, reports = free_port(), free_port()
    (folder / "htpasswd").write_text(f"{READER[0]}:{{PLAIN}}{READER[1]}\n")
    text = CONFIGURATION.read_text()
    #   in the image                      here
    for inside, here in {
        "http://web:8000": behind["web"],
        "http://jupyter:8888": behind["jupyter"],
        "listen 8080;": f"listen 127.0.0.1:{port};",
        "listen 8081;": f"listen 127.0.0.1:{reports};",
        "/etc/nginx/reports.htpasswd": f"{folder}/htpasswd",
        "/srv/reports": f"{folder}/reports",
        "/etc/nginx/mime.types": f"{folder}/mime.types",
        "/tmp/nginx.pid": f"{folder}/nginx.pid",
    }.items():
        assert inside in text, inside
        text = text.replace(inside, here)
    for module in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        assert f"/tmp/{module};" in text, module
        text = text.replace(f"/tmp/{module};", f"{folder}/{module};")
    (folder / "nginx.conf").write_text(text)
    user = "user root;" if os.getuid() == 0 else ""  # the reports lie in a folder of root's
    command = [NGINX, "-e", "stderr", "-c", folder / "nginx.conf", "-g", f"daemon off; {user}"]
    with OwnProcess(command, env=os.environ, cwd=folder, log=folder / "log") as process:
        process.wait_until(lambda: listens(port) and listens(reports), seconds=20)
        yield Nginx(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{reports}", process)


@pytest.fixture(scope="module")
def nginx(running):
    return running.pages


@pytest.fixture(scope="module")
def reports(running):
    return running.reports


#   asked for                          answered by
ROUTES = {
    "/admin/": "web",
    "/admin/django_celery_beat/periodictask/?enabled__exact=1": "web",
    "/health/": "web",
    "/static/admin/css/base.css": "web",
    "/lab/": "jupyter",
    "/lab/api/kernels/1/channels?session_id=2": "jupyter",
}


@pytest.mark.parametrize(("path", "server"), ROUTES.items())
def test_route(nginx, path, server):
    answer = requests.get(nginx + path, timeout=10).json()
    assert (answer["server"], answer["path"]) == (server, path)


def test_host_is_passed_with_its_port(nginx):
    """Django and Jupyter refuse a request whose origin is another host than theirs."""
    answer = requests.get(f"{nginx}/admin/", timeout=10, headers={"Host": "localhost:8084"}).json()
    assert answer["headers"]["Host"] == "localhost:8084"


def test_websocket_upgrade_is_passed(nginx):
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
    passed = requests.get(f"{nginx}/lab/api/events/subscribe", timeout=10, headers=headers).json()["headers"]
    assert (passed["Upgrade"], passed["Connection"]) == ("websocket", "upgrade")


@pytest.mark.parametrize(("path", "target"), [("/", "/admin/"), ("/lab", "/lab/")])
def test_redirect_names_no_port(nginx, path, target):
    answer = requests.get(nginx + path, timeout=10, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, target)


def test_reports_are_listed_and_shown(reports):
    assert "2026-01-16/" in requests.get(f"{reports}/", timeout=10, auth=READER).text
    page = requests.get(f"{reports}/2026-01-16/daily.html", timeout=10, auth=READER)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Daily report" in page.text


@pytest.mark.parametrize("login", [None, ("operator", "guessed"), ("somebody", READER[1])])
def test_reports_ask_who_reads_them(reports, login):
    for path in ("/", "/2026-01-16/daily.html"):
        assert requests.get(reports + path, timeout=10, auth=login).status_code == 401


def test_a_report_cannot_act_for_its_reader(nginx, reports):
    page = requests.get(f"{reports}/2026-01-16/daily.html", timeout=10, auth=READER)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts ")
    assert "allow-same-origin" not in policy
    assert requests.get(f"{nginx}/reports/2026-01-16/daily.html", timeout=10).status_code == 404


def test_reports_lead_nowhere_else(reports):
    for path in ("/../nginx.conf", "/..%2fnginx.conf", "/2026-01-17/", "/admin/", "/lab/"):
        request = requests.Request("GET", reports + "/", auth=READER).prepare()
        request.url = reports + path  # as it stands: a client's library would tidy it up
        with requests.Session() as session:
            assert session.send(request, timeout=10).status_code in (400, 404), path


def test_nothing_else_is_open(nginx):
    for path in ("/metrics", "/nothing"):
        assert requests.get(nginx + path, timeout=10).status_code == 404


def test_its_own_health(nginx):
    assert requests.get(f"{nginx}/nginx-health", timeout=10).status_code == 204


def test_its_health_check_fails_where_it_is_there_and_does_not_work(running: Nginx) -> None:
    if shutil.which("wget") is None:
        missing("wget is not installed")
    file = yaml.safe_load((CONFIGURATION.parents[1] / "docker-compose.yml").read_text())
    check = file["services"]["nginx"]["healthcheck"]
    test = check["test"].replace("http://127.0.0.1:8080", running.pages)
    asked = {"test": ["CMD-SHELL", test], "timeout": "3s"}
    assert passes(asked, dict(os.environ))
    with running.process.stopped():
        assert not passes(asked, dict(os.environ))
    assert passes(asked, dict(os.environ))
