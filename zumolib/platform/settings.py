"""Django's settings: django-celery-beat's tables, the platform's business data, mail and cache."""

from __future__ import annotations

import secrets
from pathlib import Path

import environ

from zumolib.conf import conf

_conf = conf()

# Most commands sign nothing. What they might sign holds in this process only; pages are not served without a
# key of their own (zumolib.web.signing).
SECRET_KEY = _conf.ZUMO_SECRET_KEY or secrets.token_urlsafe(48)
DEBUG = False
ALLOWED_HOSTS = list(_conf.ZUMO_HOSTS)
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "tasks",
    "zumolib.receipts",
    "zumolib.schedule.leases",
    "zumolib.web",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "zumolib.web.viewing.ReadOnlyPages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "zumolib.web.urls"
ASGI_APPLICATION = "zumolib.web.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
STATIC_URL = "static/"
STATIC_ROOT = _conf.ZUMO_HOME / "static"
# Found where the packages have them; `collectstatic` is not needed, and its folder goes first where it was run.
WHITENOISE_USE_FINDERS = True
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"

DATABASES = {"default": environ.Env.db_url_config(_conf.database_url)}
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        # Several processes write: wait for the lock instead of failing, and take it at the start of
        # a transaction, since a read lock that wants to become a write lock cannot wait. WAL is not set here: it
        # would stay in the file of whatever database is looked at (see zumolib.receipts.apps).
        "timeout": 30,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    DATABASES["default"].setdefault("OPTIONS", {}).setdefault("connect_timeout", 10)

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": _conf.REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 5, "socket_timeout": 5},
    }
}

_email = environ.Env.email_url_config(_conf.EMAIL_URL)
EMAIL_BACKEND = _email["EMAIL_BACKEND"]
EMAIL_HOST = _email["EMAIL_HOST"]
EMAIL_PORT = _email["EMAIL_PORT"]
EMAIL_HOST_USER = _email["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = _email["EMAIL_HOST_PASSWORD"] or ""
EMAIL_USE_TLS = bool(_email.get("EMAIL_USE_TLS"))
EMAIL_USE_SSL = bool(_email.get("EMAIL_USE_SSL"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = "Zumodra <no-reply@zumodra.example>"

# What the tasks in `tasks/` read; they know nothing of zumolib.
BACKUPS: Path = _conf.ZUMO_HOME / "backups"
ARCHIVES: Path = _conf.ZUMO_HOME / "archives"
TEMPORARY: Path = _conf.ZUMO_HOME / "tmp"
PUBLIC: Path = _conf.ZUMO_HOME / "public"
SITE_URL: str = _conf.ZUMO_SITE_URL
SKILLS_FEED: str = _conf.ZUMO_SKILLS_FEED
OPERATORS: list[str] = list(_conf.ZUMO_ADMINS)
TLS_DOMAINS: list[str] = list(_conf.ZUMO_TLS_DOMAINS)
# Makes the operations report of a day (a date, UTC); returns the paths of its notebook and its page.
DAILY_REPORT = "zumolib.headless.reports.for_day"
STRIPE_API_BASE: str = _conf.STRIPE_API_BASE
STRIPE_API_KEY: str = _conf.STRIPE_API_KEY
if _conf.MAILING_API_BASE:
    MAILING_API_BASE: str = _conf.MAILING_API_BASE
    MAILING_API_KEY: str = _conf.MAILING_API_KEY
