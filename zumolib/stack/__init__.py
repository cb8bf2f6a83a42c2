"""The embedded stack: real services from PyPI, kept alive by supervisor. No Docker, no root.

::

    plan       ports and passwords, chosen once and remembered in ZUMO_HOME/stack.json
    programs   the services and how each is started, as supervisor's configuration
    supervisor start, stop and ask supervisord
    orphans    processes that a killed supervisord left behind
    probes     whether a service does its work, not only whether it runs
    lifecycle  up, down and status, made from the above
"""
