"""Logs as JSON lines, with one filter at the root that lets no secret through, whoever wrote the line."""

import logging
import re
import sys
import traceback
from functools import lru_cache
from typing import Any

import structlog

HIDDEN = "[hidden]"
SECRET_KEYS = re.compile(
    r"secret|token|password|authorization|cookie|openid|unionid|^code$|^state$|phone|email|nickname|^key$|api_key|"
    r"verifier|signature|member_uid|display_name",
    re.IGNORECASE,
)
ERROR_CODE = re.compile(r"-?[0-9]{1,5}|[a-z]{2,20}(_[a-z0-9]{1,12})*")  # no code of a sign-in looks like this
SECRET_TEXT = [
    re.compile(r"(?i)\b(code|state|access_token|secret|openid|echostr|signature|msg_signature|key|ticket)=[^&\s\"']+"),
    re.compile(r"\bo[0-9A-Za-z_-]{27}\b"),
    re.compile(r"\b[0-9a-f]{32,}\b"),
    re.compile(r"(?i)\b(basic|bearer) [0-9A-Za-z+/=._-]{8,}"),
    re.compile(r"\b1[3-9][0-9]{9}\b"),
]
SUSPECT = re.compile(r"(?i)=|[0-9]{11}|[0-9a-z_-]{28}|\b(basic|bearer) ")  # one of these is in all of the above
OURS = {"clients", "h5", "models", "services", "wxbot"}
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|=\([^)]*\)")  # how an error repeats the value it could not take


def clean(text: str) -> str:
    """A text without what looks like a secret, an openid or a phone number."""
    if not SUSPECT.search(text):
        return text
    for pattern in SECRET_TEXT:
        text = pattern.sub(HIDDEN, text)
    return text


def redact(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    """The filter: secrets by their name, and by how they look."""
    return {name: HIDDEN if is_secret(name, value) else tidy(value) for name, value in event.items()}


def is_secret(name: str, value: Any) -> bool:
    """By its name; but the words of the line and the code of an error are what a log is for."""
    if name == "event" or not value:
        return False
    if name == "code" and ERROR_CODE.fullmatch(str(value)):
        return False
    return is_secret_name(name)


@lru_cache(1024)
def is_secret_name(name: str) -> bool:
    """Names are few: they stand in our own code."""
    return SECRET_KEYS.search(name) is not None


def tidy(value: Any) -> Any:
    """One value of a log line, cleaned if it is a text."""
    return clean(value) if isinstance(value, str) else value


def without_values(exc_info: Any) -> str:
    """A traceback whose errors say what went wrong and where, but not with which value."""
    lines = "".join(traceback.format_exception(*exc_info)).splitlines()
    return "\n".join(line if line.startswith('  File "') else QUOTED.sub(HIDDEN, line) for line in lines)


def is_for_us(record: logging.LogRecord) -> bool:
    """Libraries speak from `info` on: what they say for debugging has values of rows and requests in it."""
    return record.levelno >= logging.INFO or record.name.partition(".")[0] in OURS


def set_up(level: str, *, for_good: bool = True) -> None:
    """Send every log line of the process, also of libraries, through the filter to standard error.

    `for_good` lets loggers keep what they are given now, which is quicker; a test that puts it back says no.
    """
    shared = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(without_values),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=for_good,
    )
    last = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        redact,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(is_for_us)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=last))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    if for_good:
        forget_origins()


def forget_origins() -> None:
    """Let `logging` not look up what no line of ours tells: file, thread, process, task; half of a line's cost."""
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = logging.logAsyncioTasks = False
