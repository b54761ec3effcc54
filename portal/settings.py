"""Django's settings: the one place that turns the environment into configuration."""

from __future__ import annotations

from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.core.management.utils import get_random_secret_key

from portal import env, mail
from portal.identity import config as identity
from tenancy.rules import attestation

ENVIRONMENT = env.read()
ATOLL_HOME = ENVIRONMENT.home
PUBLIC_URL = ENVIRONMENT.public_url.rstrip("/")
_public = urlsplit(PUBLIC_URL)

DEBUG = ENVIRONMENT.debug
SECRET_KEY = env.secret(ENVIRONMENT, ENVIRONMENT.secret_key, "django.key", get_random_secret_key)
SEALING_KEYS = env.secret(
    ENVIRONMENT, ENVIRONMENT.sealing_keys, "sealing.key", lambda: Fernet.generate_key().decode()
).split(",")
SIGNING_KEYS = env.secret(ENVIRONMENT, ENVIRONMENT.signing_keys, "signing.key", attestation.new_key).split(
    ","
)
ALLOWED_HOSTS = sorted({_public.hostname or "127.0.0.1", "127.0.0.1", "localhost"})
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"]

FIRST_PARTY_APPS = ["portal", "provisioner", "tenancy"]
INSTALLED_APPS = [
    *FIRST_PARTY_APPS,
    "django_linear_migrations",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
]
MIGRATION_MODULES = {app: f"migrations.{app}" for app in FIRST_PARTY_APPS}
AUTH_USER_MODEL = "tenancy.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.middleware.RequestIdMiddleware",
    "portal.api.middleware.ProblemMiddleware",
    "portal.middleware.ContentSecurityPolicyMiddleware",
    "portal.web.standby.StandbySessionMiddleware",
    "portal.middleware.AnyHostMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "portal.web.standby.StandbyMiddleware",
]
ROOT_URLCONF = "portal.urls"
ASGI_APPLICATION = "portal.asgi.application"
# The API answers with and without the slash by itself; a redirect would lose a PUT's body.
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [env.REPOSITORY / "portal" / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.web.context.inbox",
            ],
            "libraries": {"atoll": "portal.web.templatetags.atoll"},
        },
    }
]

DATABASES = {"default": env.database(ENVIRONMENT)}
CACHES = env.caches(ENVIRONMENT)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/sign-in"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True
STATIC_URL = "/static/"
# Few and small, so they are served from where they lie; nothing is collected anywhere.
STATICFILES_DIRS = [env.REPOSITORY / "portal" / "static"]
WHITENOISE_USE_FINDERS = True

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
_https = _public.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _https
SECURE_SSL_REDIRECT = False  # TLS ends at the ingress; a redirect here would loop behind it
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["portal.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["portal.api.parsing.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "portal.api.parsing.AlwaysJSON",
    "DEFAULT_SCHEMA_CLASS": "portal.api.schema.TaggedSchema",
    "EXCEPTION_HANDLER": "portal.api.errors.handle",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Atoll",
    "DESCRIPTION": "Virtual Kubernetes clusters for teams.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SCHEMA_PATH_PREFIX_TRIM": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENFORCE_NON_BLANK_FIELDS": True,
    "ENUM_NAME_OVERRIDES": {
        name: f"tenancy.enums.{name}"
        for name in (
            "ActorSource",
            "ChainFault",
            "ConditionStatus",
            "ConditionType",
            "Exposure",
            "FindingKind",
            "GpuComponent",
            "GpuVerdict",
            "IsolationModel",
            "OperationKind",
            "OperationState",
            "Persistence",
            "Phase",
            "PoolKind",
            "PlatformRole",
            "ClaimResult",
            "Reason",
            "ReportState",
            "Role",
            "Sandbox",
            "Severity",
            "StepState",
            "Trust",
            "VersionSource",
        )
    }
    | {
        name: f"tenancy.grant_enums.{name}"
        for name in (
            "AcceleratorKind",
            "Approval",
            "RequestParty",
            "RequestState",
            "RequestVerb",
            "RequestKind",
            "GrantPhase",
            "Rung",
            "ReclaimCause",
        )
    }
    | {name: f"tenancy.event_enums.{name}" for name in ("DeliveryState", "EventType")}
    | {"Scope": "tenancy.token_enums.Scope", "ScopePattern": "tenancy.rules.scopes.PATTERNS"}
    | {name: f"tenancy.template_enums.{name}" for name in ("TemplateVerdict", "VersionState")},
    "PREPROCESSING_HOOKS": ["portal.api.schema.without_twins"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "portal.api.schema.without_orphans",
        "portal.api.schema.with_null_as_anything",
    ],
}

ATOLL_BROKER_URL = ENVIRONMENT.broker_url or f"redis+socket://{ATOLL_HOME}/run/redis.sock"
ATOLL_RATE_TOKEN, ATOLL_RATE_TENANT = ENVIRONMENT.rate_token, ENVIRONMENT.rate_tenant
ATOLL_DATABASE_POOL = ENVIRONMENT.database_pool
ATOLL_RATE_ADDRESS, ATOLL_RATE_STORE = ENVIRONMENT.rate_address, ENVIRONMENT.rate_store
ATOLL_TRUSTED_PROXIES = env.trusted_proxies(ENVIRONMENT)
ATOLL_METRICS_TOKEN = ENVIRONMENT.metrics_token
ATOLL_HELM = ENVIRONMENT.helm
ATOLL_GPU_ADVISORIES = ENVIRONMENT.gpu_advisories
ATOLL_REPORT_EVERY = ENVIRONMENT.report_every
ATOLL_AUDIT_HEADS = ENVIRONMENT.audit_heads or ATOLL_HOME / "audit"
ATOLL_TOKEN_DAYS = ENVIRONMENT.token_days
ATOLL_REPORT_VALID = ENVIRONMENT.report_valid

_mail = mail.server(ENVIRONMENT)
EMAIL_BACKEND = _mail.backend
EMAIL_HOST, EMAIL_PORT = _mail.host, _mail.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = _mail.user, _mail.password
EMAIL_USE_TLS, EMAIL_USE_SSL = _mail.starttls, _mail.tls
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = ENVIRONMENT.mail_from
ATOLL_OIDC = identity.oidc(ENVIRONMENT)
ATOLL_OIDC_TOKEN_DAYS = ENVIRONMENT.oidc_token_days if ATOLL_OIDC else 0
ATOLL_CI_ISSUERS = identity.ci_issuers(ENVIRONMENT)
ATOLL_OIDC_LOOPBACK = ENVIRONMENT.oidc_loopback
ATOLL_WEBHOOK_ALLOW = env.ranges(ENVIRONMENT)
ATOLL_WEBHOOK_HTTP = ENVIRONMENT.webhook_http
ATOLL_REHEARSAL_CLOCK = ENVIRONMENT.rehearsal_clock
ATOLL_LOG_FORMAT = ENVIRONMENT.log_format

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "console": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        "json": {"()": "portal.logs.JsonFormatter"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": ATOLL_LOG_FORMAT}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
