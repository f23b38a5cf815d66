"""Django settings: secure unless told otherwise, driven by `KERP_*` (see `kerp.web.config`), writing nothing."""

from __future__ import annotations

import os
import sqlite3
from datetime import timedelta
from pathlib import Path

from csp.constants import NONE, SELF

from kerp.web.config import LOOPBACK, database, from_environment
from kerp.web.datadir import Layout, key
from kerp.web.embedded import check_journal

CONFIG = from_environment(os.environ)
check_journal(CONFIG.journal, sqlite3.sqlite_version_info)
_HERE = Path(__file__).parent
_LAYOUT = Layout(CONFIG.data_dir or Path("kerp-data-directory-not-named"))

SECRET_KEY = key(CONFIG.data_dir, "secret")  # empty: Django refuses to start
KERP_FIELD_KEY = key(CONFIG.data_dir, "field")
KERP_ALLOCATION_KEY = key(CONFIG.data_dir, "allocation")
KERP = CONFIG
KERP_LAYOUT = _LAYOUT

DEBUG = False
ALLOWED_HOSTS = list(CONFIG.hosts)
ROOT_URLCONF = "kerp.web.urls"
ASGI_APPLICATION = "kerp.web.asgi.application"
AUTH_USER_MODEL = "kerp.Person"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = True

INSTALLED_APPS = [
    "kerp.web.apps.KerpConfig",
    "kerp.web.vault.apps.VaultConfig",
    "kerp.web.display.apps.DisplayConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "csp",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
]

MIDDLEWARE = [
    "kerp.web.logs.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "kerp.web.accounts.middleware.PrivateByDefault",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "kerp.web.accounts.middleware.SessionLimits",
    "kerp.web.accounts.middleware.SecondFactor",
    "kerp.web.accounts.handover.HandedOver",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_HERE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "kerp.web.accounts.context.viewer",
            ],
            "builtins": ["kerp.web.templatetags.kerp"],
        },
    }
]

DATABASES = {
    "default": database(CONFIG.database_url, sqlite_file=_LAYOUT.database, journal=CONFIG.journal),
    "allocation": database(CONFIG.allocation_url, sqlite_file=_LAYOUT.allocation, journal=CONFIG.journal),
}
DATABASE_ROUTERS = ["kerp.web.vault.router.VaultRouter"]
# Counts attempts to sign in and codes that were used: in the database, so that neither a restart nor a second process
# forgets them. Keys are hashed: no address and no name stands in the table.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "kerp_cache",
        "KEY_FUNCTION": "kerp.web.accounts.attempts.hashed_key",
        "OPTIONS": {"MAX_ENTRIES": 100_000, "CULL_FREQUENCY": 10},
    }
}

# -- static files -----------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = _LAYOUT.static
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_MANIFEST_STRICT = True
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# -- transport ---------------------------------------------------------------------------------------------------
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CONFIG.https
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_NAME = "__Host-kerp" if CONFIG.https else "kerp"
CSRF_COOKIE_NAME = "__Host-kerp-csrf" if CONFIG.https else "kerp-csrf"
CSRF_FAILURE_VIEW = "kerp.web.pages.csrf_failure"
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in CONFIG.hosts if host not in LOOPBACK] if CONFIG.https else []
SECURE_SSL_REDIRECT = CONFIG.https
SECURE_HSTS_SECONDS = 31_536_000 if CONFIG.https else 0
SECURE_REDIRECT_EXEMPT = [r"^health$"]
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if CONFIG.behind_proxy:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],  # the QR code of a second factor; decrypted stimuli
        "media-src": [SELF, "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "worker-src": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# -- people ------------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["kerp.web.accounts.sessions.Accounts"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "full_name", "email")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
PASSWORD_RESET_TIMEOUT = int(timedelta(days=3).total_seconds())  # an invitation, used once
SESSION_ENGINE = "kerp.web.accounts.sessions"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_AGE = CONFIG.absolute_h * 3600

ACCOUNT_ADAPTER = "kerp.web.accounts.adapter.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_RATE_LIMITS = {"login": "60/m/ip", "login_failed": "20/m/ip,5/5m/key", "reauthenticate": "10/m/user"}
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if CONFIG.behind_proxy else 0
MFA_ADAPTER = "kerp.web.accounts.adapter.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "kerp"
MFA_ALLOW_UNVERIFIED_EMAIL = True
USERSESSIONS_TRACK_ACTIVITY = False

LOGGING_CONFIG = None  # kerp.web.logs, set up by the server
