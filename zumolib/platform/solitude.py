"""Whether a worker on Redis or Valkey is the only one of its broker: shown, not assumed.

Three things show it, and each alone would err. A lease names the worker that may give back; of two that
start at once one gets it. The server lists its connections: those of our workers have a name, and they are
open as long as a process of the worker lives, even one that is stopped or hangs. Workers of other apps and
versions have no such name, so all workers are asked to answer a ping.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from typing import Any

import psutil
from celery.utils.log import get_logger
from redis.exceptions import ResponseError

from zumolib import processes
from zumolib.platform import transport

log = get_logger(__name__)

LEASE = "zumo.sole-worker"
PING_SECONDS = 1.0
# What a killed worker leaves behind ends at once, or where it is not seen within about two seconds: its pool's
# processes notice that their parent is gone, once the tasks that they are at have ended.
REMAINS_SECONDS = 15.0
LOOK_SECONDS = 0.2

# KEYS: the lease. ARGV: who asks, and the workers that are connected. A lease of a worker that is not
# connected any more passes to the one who asks.
_CLAIM = """
local holder = redis.call('GET', KEYS[1])
if holder then
  for index = 1, #ARGV do if ARGV[index] == holder then return holder end end
end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
"""


def others(channel: transport.Channel, app: Any) -> list[str]:
    """Every sign that this is not the only worker of the channel's broker; empty when it is.

    Waits, for a limited time, until what is left of a killed worker on this machine has ended. Call it
    while this worker does not answer to remote control itself.
    """
    own = transport.name_worker()
    try:
        connected = _connected(channel, besides=own)
    except ResponseError as error:
        return [f"the server does not list its connections ({error})"]
    if connected:
        return sorted(connected)
    holder = _claim(channel, own)
    if holder != own:
        return [holder]
    # Not over a connection of the app's pool: that one would wait for replies in a process that is about to fork.
    answers = app.control.ping(timeout=PING_SECONDS, connection=channel.connection.client)
    return sorted(name for answer in answers or () for name in answer)


def _connected(channel: transport.Channel, *, besides: str) -> set[str]:
    """Names of the connections of other workers; of those that died on this machine the remains are ended first.

    A killed worker's pool goes on with the tasks it is at. Nobody will hear of their ends, and the tasks run
    again, so they must not run on.
    """
    until = time.monotonic() + REMAINS_SECONDS
    while True:
        found = {name: ports for name, ports in _workers(channel).items() if name != besides}
        if not found or not all(map(_is_dead, found)) or time.monotonic() > until:
            return set(found)
        _end_holders({port for ports in found.values() for port in ports})
        time.sleep(LOOK_SECONDS)


def _end_holders(ports: set[int]) -> None:
    """Kill whoever of this machine holds these connections, as a dead worker's children do."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # not every system shows them; then they are waited for
        return
    holders = {
        connection.pid
        for connection in connections
        if connection.laddr and connection.laddr.port in ports and connection.raddr and connection.pid
    }
    for pid in holders - {os.getpid()}:
        log.warning("Ended process %d, which a killed worker left behind.", pid)
        with suppress(psutil.NoSuchProcess):  # it ended by itself
            psutil.Process(pid).kill()


def _workers(channel: transport.Channel) -> dict[str, list[int]]:
    """Names of the workers that are connected, with the ports at their ends."""
    with channel.conn_or_acquire() as client:
        # Raw: the client's parsing of this reply differs between its versions.
        client.response_callbacks.pop("CLIENT LIST", None)
        reply = client.execute_command("CLIENT LIST")
        database = str(client.connection_pool.connection_kwargs.get("db") or 0)
    names: dict[str, list[int]] = {}
    for line in reply.decode("utf-8", "replace").splitlines():
        fields = dict(field.partition("=")[::2] for field in line.split(" "))
        if fields.get("name", "").startswith(transport.WORKER) and fields.get("db") == database:
            port = fields.get("addr", "").rpartition(":")[2]
            names.setdefault(fields["name"], []).extend([int(port)] if port.isdigit() and int(port) else [])
    return names


def _is_dead(name: str) -> bool:
    """Whether this was a process of this machine; its children may live on."""
    host, pid, _ = name.removeprefix(transport.WORKER).rsplit(":", 2)
    return host == socket.gethostname() and (int(pid) == os.getpid() or not processes.runs(int(pid)))


def _claim(channel: transport.Channel, own: str) -> str:
    """Take the lease if it is free or its holder is not connected any more; returns its holder."""
    connected = {own, *_workers(channel)}
    with channel.conn_or_acquire() as client:
        holder = client.execute_command(
            "EVAL", _CLAIM, 1, f"{channel.global_keyprefix}{LEASE}", own, *connected
        )
    return str(holder.decode() if isinstance(holder, bytes) else holder)
