"""What may hold a secret, and what may remain of it: the input, and its right value."""

from __future__ import annotations

# Each secret is "hunter2", or stands beside it in the same value, so that no test has to know more.
INPUTS = [
    # Representations, as Celery's events carry them.
    ("{'password': 'hunter2', 'n': 1}", "{'password': '***', 'n': 1}"),
    ('{"password": "hunter2", "n": 1}', '{"password": "***", "n": 1}'),
    ('{"password":"hunter2","n":1}', '{"password":"***","n":1}'),
    ("{'password': 'it\\'s hunter2', 'n': 1}", "{'password': '***', 'n': 1}"),
    ("{'password': \"it's hunter2\", 'n': 1}", "{'password': '***', 'n': 1}"),
    ("{'pin': 1234}", "{'pin': '***'}"),
    ("{'pin':1234,'n':1}", "{'pin':'***','n':1}"),
    ("{'card': {'number': 'hunter2', 'cvc': [1, 2]}, 'n': 1}", "{'card': '***', 'n': 1}"),
    ("{'card': ['}', ')hunter2'], 'n': 1}", "{'card': '***', 'n': 1}"),
    ("{'card': <Card 4242 of <User hunter2>>, 'n': 1}", "{'card': '***', 'n': 1}"),
    ("{'card': Decimal('4242'), 'n': 1}", "{'card': '***', 'n': 1}"),
    ("{'token': b'hunter2'}", "{'token': '***'}"),
    ("{b'token': b'hunter2'}", "{b'token': '***'}"),
    ("call(user='a', password='hunter2', n=1)", "call(user='a', password='***', n=1)"),
    ("User(name='a', password='hunter2')", "User(name='a', password='***')"),
    ("token=hunter2", "token=***"),
    # Cut, as Celery does it.
    ("{'n': 1, 'password': 'hunt", "{'n': 1, 'password': '***'"),
    ("{'n': 1, 'password': 'hunter...", "{'n': 1, 'password': '***'"),
    ("{'card': {'number': 'hunter2", "{'card': '***'"),
    ("{'password': ", "{'password': '***'"),
    # Names: run together, in every spelling, of headers and settings.
    ("smtp_pass=hunter2", "smtp_pass=***"),
    ("{'userpassword': 'hunter2'}", "{'userpassword': '***'}"),
    ("{'database_url': 'postgres://hunter2@h/d'}", "{'database_url': '***'}"),
    ("{'auth': ('ann', 'hunter2')}", "{'auth': '***'}"),
    ("{'cookie': 'sid=hunter2; a=b'}", "{'cookie': '***'}"),
    ("{'jwt': 'hunter2'}", "{'jwt': '***'}"),
    ("{'otp': 123456}", "{'otp': '***'}"),
    ("{'passcode': 'hunter2'}", "{'passcode': '***'}"),
    ("{'cardnumber': '4242hunter2'}", "{'cardnumber': '***'}"),
    ("{'X-API-Key': 'hunter2'}", "{'X-API-Key': '***'}"),
    ("{'userPwd': 'hunter2'}", "{'userPwd': '***'}"),
    ("{'awsSecretAccessKey': 'hunter2'}", "{'awsSecretAccessKey': '***'}"),
    ("api key: hunter2", "api key: ***"),
    # A text within a text.
    (
        '{"body": "{\\"password\\": \\"hunter2\\", \\"a\\": 1}"}',
        '{"body": "{\\"password\\": \\"***\\", \\"a\\": 1}"}',
    ),
    (
        '{"a": "{\\"b\\": \\"{\\\\\\"token\\\\\\": \\\\\\"hunter2\\\\\\"}\\"}"}',
        '{"a": "{\\"b\\": \\"{\\\\\\"token\\\\\\": \\\\\\"***\\\\\\"}\\"}"}',
    ),
    ('{"body": "{\\"password\\": \\"x\\\\\\"hunter2\\"}"}', '{"body": "{\\"password\\": \\"***\\"}"}'),
    ("""('{"password": "hunter2", "a": 1}', 5)""", """('{"password": "***", "a": 1}', 5)"""),
    ("""('{"token": "it\\'s hunter2"}',)""", """('{"token": "***"}',)"""),
    ('"{\\"password\\": \\"hunt..."', '"{\\"password\\": \\"***\\""'),
    # YAML and other lines of name and value.
    ("user: ann\npassword: hunter2\nrole: x", "user: ann\npassword: ***\nrole: x"),
    ("user: ann\npassword: my hunter2, or not\nrole: x", "user: ann\npassword: ***\nrole: x"),
    ("- name: a\n  password: hunter2\n  role: x", "- name: a\n  password: ***\n  role: x"),
    ("secret: |\n  one hunter2\n  two\nrole: x", "secret: ***\nrole: x"),
    ("tokens:\n- hunter2\n- x\nuser: a", "tokens:***\nuser: a"),
    ("secret:\n  a: hunter2\n  b: x\nrole: x", "secret:***\nrole: x"),
    ("('user: ann\\npassword: hunter2\\nrole: x', 4)", "('user: ann\\npassword: ***\\nrole: x', 4)"),
    ("('secret: |\\n  one\\n  hunter2\\nrole: x', 4)", "('secret: ***\\nrole: x', 4)"),
    ("[db]\nuser = ann\npassword = my hunter2\nport = 1", "[db]\nuser = ann\npassword = ***\nport = 1"),
    ("DB_PASSWORD=hunter2\nPORT=1", "DB_PASSWORD=***\nPORT=1"),
    # HTTP.
    ("Authorization: Bearer hunter2", "Authorization: ***"),
    ("got 401 for Bearer hunter2.abc", "got 401 for Bearer ***"),
    ("sent Basic YW5uOmh1bnRlcjI= to h", "sent Basic *** to h"),
    ("Authorization=Bearer hunter2", "Authorization=***"),
    ('Authorization: Digest username="a", response="hunter2"', "Authorization: ***"),
    ("Cookie: a=1; sid=hunter2", "Cookie: ***"),
    (
        "{'headers': [('Authorization', 'Bearer hunter2'), ('X', 'y')]}",
        "{'headers': [('Authorization', '***'), ('X', 'y')]}",
    ),
    ("GET /x?access_token=hunter2&y=1", "GET /x?access_token=***&y=1"),
    # Pairs, fields, command lines, XML, SQL.
    ('[["password", "hunter2"], ["user", "ann"]]', '[["password", "***"], ["user", "ann"]]'),
    ("[(b'password', b'hunter2')]", "[(b'password', '***')]"),
    ('{"name": "password", "value": "hunter2", "a": 1}', '{"name": "password", "value": "***", "a": 1}'),
    ("['psql', '--password', 'hunter2', '-h', 'x']", "['psql', '--password', '***', '-h', 'x']"),
    ("psql --password hunter2 -h x", "psql --password *** -h x"),
    ("psql --password=hunter2 -h x", "psql --password=*** -h x"),
    ("<a><password>hunter2</password><b>1</b></a>", "<a><password>***</password><b>1</b></a>"),
    ("Key (tenant, token)=(1, hunter2) already exists.", "Key (tenant, token)=(***) already exists."),
    ("host=h password=hunter2 dbname=d", "host=h password=*** dbname=d"),
    # URLs, in arguments and in errors.
    ("amqp://user:hunter2@host:5672/vhost", "amqp://user:***@host:5672/vhost"),
    ("amqp://user:pa@hunter2@host", "amqp://user:***@host"),
    ("amqp://user:pa/hunter2@host/v", "amqp://user:***@host/v"),
    ("redis://:hunter2@h:1/0", "redis://:***@h:1/0"),
    ("amqp://a:hunter2@h1;amqp://b:hunter2@h2", "amqp://a:***@h1;amqp://b:***@h2"),
    ("('postgres://u:hunter2@h/d', 1)", "('postgres://u:***@h/d', 1)"),
    (
        "Error 111 connecting to redis://:hunter2@h:1. Refused.",
        "Error 111 connecting to redis://:***@h:1. Refused.",
    ),
    ("https://hunter2hunter2hunter2@sentry.example/1", "https://***@sentry.example/1"),
    (
        "n=1 DATABASE_URL=postgres://u:***@h/d TOKEN=hunter2",
        "n=1 DATABASE_URL=postgres://u:***@h/d TOKEN=***",
    ),
    # What is secret by its form.
    ("got eyJhbGciOi.eyJzdWIiOi.hunter2-x", "got ***"),
    ("ghp_hunter2hunter2hunter2 failed", "*** failed"),
    ("-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----\n.", "***\n."),
    ("-----BEGIN PRIVATE KEY-----\nhunter2", "***"),
]
"""Texts with a secret, and what is shown of each."""

HARMLESS = [
    "('a', 2)",
    "{'note': 'the password is long'}",
    "{'user': 'ann', 'email': 'ann@example.org'}",
    "https://h:8080/a@b?mail=ann@example.org",
    "https://h/a:b@c",
    "amqp://guest@h:5672//",
    "sqlite:////var/lib/a@b.db",
    "basic training takes 3 days",
    "KeyError: 'name'",
    "{'shipping': 1, 'mapping': 2, 'author': 3, 'discard': 4}",
    "at 12:30:05, n=5, see https://auth.example.org:443/x",
    "DATABASE_URL='postgres://someone:***@127.0.0.1:1/d': refused",
    "{'database_url': 'postgres://someone:***@127.0.0.1:1/d'}",
    "('2026-01-01', 5, None, {'a': [1, 2]})",
    "",
]
"""Texts without one, of which all is shown."""
