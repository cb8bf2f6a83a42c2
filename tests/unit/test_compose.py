"""docker-compose.yml as the real Compose reads it, without an engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values

from zumolib.stack.dotenv import init

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE = Path(sys.executable).parent / "docker-compose"
FILE = PROJECT / "docker-compose.yml"
DOCKERFILE = PROJECT / "docker" / "Dockerfile"

#   service          {port inside: port of the document}
PORTS = {
    "rabbitmq": {5672: 5673, 15672: 15673},
    "redis": {6379: 6380},
    "db": {5432: 5434},
    "web": {8000: 8002},
    "channels": {8000: 8003},
    "nginx": {8080: 8084, 8081: 8085},
    "mailhog": {8025: 8026},
}
DOCUMENT = {*PORTS, "celery-worker", "celery-beat"}
WORKERS = {
    "celery-worker": "default,hr,ats",
    "celery-worker-critical": "payments",
    "celery-worker-high": "emails,notifications",
    "celery-worker-low": "analytics,celery",
}
OURS = {*WORKERS, "celery-beat", "recorder", "web", "channels", "jupyter", "migrate"}


def compose(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Compose on a copy of the file, with nothing from this process' environment."""
    shutil.copy(FILE, folder)
    return subprocess.run(
        [COMPOSE, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("compose")
    init(path / ".env")
    return path


@pytest.fixture(scope="module")
def services(folder):
    shown = compose(folder, "config", "--format", "json")
    assert shown.returncode == 0, shown.stderr
    return json.loads(shown.stdout)["services"]


def test_compose_accepts_the_file_without_a_warning(folder):
    checked = compose(folder, "config", "--quiet")
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_missing_env_file_says_what_to_do(tmp_path):
    checked = compose(tmp_path, "config", "--quiet")
    assert checked.returncode != 0
    lines = checked.stderr.strip().splitlines()
    assert 1 <= len(lines) <= 8
    assert all("run `zumo env init`, it writes .env" in line for line in lines)


@pytest.mark.parametrize("name", ["RABBITMQ_DEFAULT_PASS", "POSTGRES_PASSWORD", "REDIS_PASSWORD"])
def test_missing_password_says_what_to_do(tmp_path, name):
    env = init(tmp_path / ".env")
    env.write_text(re.sub(rf"^{name}=.*\n", "", env.read_text(), flags=re.MULTILINE))
    checked = compose(tmp_path, "config", "--quiet")
    assert checked.returncode != 0
    assert f"{name} is missing a value: run `zumo env init`" in checked.stderr


def test_services_and_names(services):
    assert set(services) == DOCUMENT | OURS
    assert {name: service["container_name"] for name, service in services.items()} == {
        name: f"zumodra_{name}" for name in services
    }


def test_ports_are_the_documents_and_local(services):
    published = {
        name: {port["target"]: int(port["published"]) for port in service["ports"]}
        for name, service in services.items()
        if "ports" in service
    }
    assert published == PORTS
    assert {port["host_ip"] for s in services.values() for port in s.get("ports", [])} == {"127.0.0.1"}


def test_workers_share_the_queues_by_priority(services):
    for name, queues in WORKERS.items():
        command = services[name]["command"]
        assert command[command.index("-Q") + 1] == queues
        assert services[name]["hostname"] == name, "node names differ and last"


def test_workers_keep_their_metrics_apart_and_web_sees_all(services):
    def volumes(name):
        return {v["target"]: v["source"] for v in services[name]["volumes"] if "/run/metrics" in v["target"]}

    written = {}
    for name in WORKERS:
        target = services[name]["environment"]["PROMETHEUS_MULTIPROC_DIR"]
        written[name] = volumes(name)[target]
    assert len(set(written.values())) == len(WORKERS)
    assert set(volumes("web").values()) == set(written.values())


def test_each_worker_keeps_its_revokes_in_a_file_of_its_own_on_a_volume(services):
    for name in WORKERS:
        command = services[name]["command"]
        [option] = [word for word in command if word.startswith("--statedb=")]
        folder, _, file = option.removeprefix("--statedb=").rpartition("/")
        assert file == "%h", "host names differ"
        volumes = {v["target"]: v["type"] for v in services[name]["volumes"]}
        assert volumes[folder] == "volume"
        assert Path(folder).name in DOCKERFILE.read_text()


def test_no_literal_secret_in_the_file():
    names = re.compile(
        r"^\s*(\S*(?:PASS|PASSWORD|TOKEN|SECRET|KEY|AUTH|requirepass)\S*)\s*:?\s+(.*)$", re.IGNORECASE
    )
    found = [names.match(line) for line in FILE.read_text().splitlines() if not line.lstrip().startswith("#")]
    values = {match[1]: match[2] for match in found if match}
    assert {"RABBITMQ_DEFAULT_PASS:", "POSTGRES_PASSWORD:", "REDISCLI_AUTH:", "requirepass"} <= set(values)
    assert all(re.match(r"\$\{[A-Z_]+:(\?|-\}$)|/", value) for value in values.values()), values
    assert not re.search(r"://[^/\s]*:[^/\s]*@", FILE.read_text()), "an address with a password"


WORK = {"CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "REDIS_URL", "DATABASE_URL"}
#   service           variables of .env with a secret in them
SECRETS = {
    **dict.fromkeys(WORKERS, WORK),
    "celery-beat": WORK,
    "migrate": WORK - {"CELERY_BROKER_URL"},
    "recorder": {"CELERY_BROKER_URL", "RABBITMQ_MANAGEMENT_URL"},
    "web": WORK | {"ZUMO_SECRET_KEY"},
    "channels": WORK | {"ZUMO_SECRET_KEY"},
    "jupyter": WORK | {"RABBITMQ_MANAGEMENT_URL", "JUPYTER_TOKEN"},
    "nginx": set(),
    "rabbitmq": {"RABBITMQ_DEFAULT_PASS"},
    "redis": {"REDIS_PASSWORD"},
    "db": {"POSTGRES_PASSWORD"},
    "mailhog": set(),
}
LOGINS = {"nginx": "REPORTS_LOGIN", "mailhog": "MAIL_LOGIN", "redis": "REDIS_PASSWORD"}


def secrets(folder):
    """Every value of .env that somebody else may not know, by its variable."""
    values = dotenv_values(folder / ".env")
    return {
        name: value
        for name, value in values.items()
        if re.search("PASS|TOKEN|KEY|LOGIN|:[0-9a-f]{48}@", f"{name}{value}")
    }


def test_each_service_has_the_secrets_that_it_needs_and_no_others(folder, services):
    secret = secrets(folder)
    assert set(SECRETS) == set(services)
    given = {
        name: {known for known, value in secret.items() if value in service.get("environment", {}).values()}
        for name, service in services.items()
    }
    assert given == SECRETS
    assert set().union(*given.values(), LOGINS.values()) == set(secret), "each is used"


def test_logins_reach_their_pages_as_files(folder, services):
    shown = json.loads(compose(folder, "config", "--format", "json").stdout)["configs"]
    for name, variable in LOGINS.items():
        sources = [config["source"] for config in services[name]["configs"]]
        assert any(dotenv_values(folder / ".env")[variable] in shown[source]["content"] for source in sources)
    assert {name for name, service in services.items() if "configs" in service} == set(LOGINS)
    assert (
        services["mailhog"]["environment"]["MP_UI_AUTH_FILE"] == services["mailhog"]["configs"][0]["target"]
    )


def test_no_service_is_run_by_root_or_has_capabilities(services):
    dockerfile = (PROJECT / "docker" / "Dockerfile").read_text()
    assert re.search(r"^USER \$ZUMO_UID$", dockerfile, re.MULTILINE)
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert not service.get("privileged"), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        user = service.get("user", "zumo" if name in OURS else "root")
        assert user.partition(":")[0] not in ("root", "0"), name


def test_every_service_has_limits(services):
    for name, service in services.items():
        assert 64 * 2**20 <= int(service["mem_limit"]) <= 4 * 2**30, name
        assert 50 <= service["pids_limit"] <= 1_000, name


def test_images_are_named_by_digest(services):
    images = {service["image"] for name, service in services.items() if name not in OURS}
    base = re.search(r"^FROM (\S+)", (PROJECT / "docker" / "Dockerfile").read_text(), re.MULTILINE)[1]
    for image in {*images, base}:
        assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image), image


#   two services                what they may talk about
TALKS = {
    ("nginx", "web"): {"edge"},
    ("nginx", "jupyter"): {"edge"},
    ("nginx", "db"): set(),
    ("nginx", "rabbitmq"): set(),
    ("nginx", "mailhog"): set(),
    ("recorder", "db"): set(),
    ("recorder", "rabbitmq"): {"broker"},
    ("celery-worker", "db"): {"database"},
    ("celery-worker", "redis"): {"results"},
    ("celery-worker", "mailhog"): {"mail"},
    ("celery-worker", "nginx"): set(),
    ("mailhog", "db"): set(),
    ("rabbitmq", "redis"): set(),
    ("migrate", "rabbitmq"): set(),
}


@pytest.mark.parametrize(("pair", "shared"), TALKS.items())
def test_a_service_reaches_what_it_talks_to(services, pair, shared):
    one, other = (set(services[name]["networks"]) for name in pair)
    assert one & other == shared


def test_every_address_is_within_reach(services):
    for name, service in services.items():
        for value in service.get("environment", {}).values():
            host = re.search(r"^\w+://(?:[^@]*@)?([a-z]+):\d+", str(value))
            if host:
                assert set(service["networks"]) & set(services[host[1]]["networks"]), (name, host[1])


def test_web_sees_the_recorders_states(services):
    for name in ("web", "channels"):
        places = {v["target"]: v.get("read_only") for v in services[name]["volumes"]}
        assert places[services[name]["environment"]["ZUMO_HISTORY"]] is True, name


def test_no_secret_on_a_command_line(folder, services):
    shown = json.dumps([[s.get("command"), s.get("healthcheck")] for s in services.values()])
    assert not [name for name, value in secrets(folder).items() if value in shown]


def test_every_service_has_a_health_check(services):
    assert [name for name, service in services.items() if "healthcheck" not in service] == ["migrate"]
    assert services["migrate"]["restart"] == "no", "runs once; the others wait for its end"


def test_start_order_is_by_health(services):
    for name in OURS - {"migrate"}:
        waits = {other: wait["condition"] for other, wait in services[name]["depends_on"].items()}
        assert waits == {
            "rabbitmq": "service_healthy",
            "redis": "service_healthy",
            "db": "service_healthy",
            "mailhog": "service_healthy",
            "migrate": "service_completed_successfully",
        }, name
    assert set(services["migrate"]["depends_on"]) == {"db", "redis"}
    assert set(services["nginx"]["depends_on"]) == {"web", "channels", "jupyter"}


def test_everything_restarts_and_rotates_its_logs(services):
    for name, service in services.items():
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}


def test_workers_may_finish_their_tasks(services):
    assert {services[name]["stop_grace_period"] for name in WORKERS} == {"5m0s"}


def test_redis_is_limited_as_documented(folder):
    shown = json.loads(compose(folder, "config", "--format", "json").stdout)
    settings = dict(
        line.split(maxsplit=1)
        for line in shown["configs"]["redis"]["content"].splitlines()
        if not line.startswith("#")
    )
    assert settings == {
        "requirepass": dotenv_values(folder / ".env")["REDIS_PASSWORD"],
        "appendonly": "yes",
        "maxmemory": "256mb",
        "maxmemory-policy": "allkeys-lru",
    }


def test_mounted_files_are_in_the_project(folder, services):
    binds = [v for s in services.values() for v in s.get("volumes", []) if v["type"] == "bind"]
    inside = {Path(v["source"]).relative_to(folder) for v in binds}
    assert inside == {Path("docker/nginx.conf"), Path("docker/rabbitmq.conf"), Path("notebooks")}
    assert all((PROJECT / path).exists() for path in inside)


def test_volume_folders_exist_in_the_image_with_their_owner(services):
    dockerfile = (PROJECT / "docker" / "Dockerfile").read_text()
    made = re.search(r"for folder in (.*); do", dockerfile)[1].split()
    used = {v["target"] for name in OURS for v in services[name].get("volumes", []) if v["type"] == "volume"}
    top = {re.sub(r"(/run/metrics)/\w+$", r"\1", target) for target in used}
    assert top <= {f"/var/lib/zumo/{folder}" for folder in made}
