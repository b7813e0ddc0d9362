"""Who changed what, when, from what to what; append-only."""

from datetime import datetime

from peewee import BigAutoField, CharField, TextField

from models.base import Row, UtcField


class AuditEntry(Row):
    """审计日志: `who` is `person:<id>`, `platform:<name>`, `operator:<name>` or `command`."""

    id = BigAutoField()
    at = UtcField(index=True)
    who = CharField(max_length=64)
    action = CharField(max_length=64)
    subject = CharField(max_length=128, index=True)
    old = TextField(null=True)
    new = TextField(null=True)
    reason = CharField(max_length=255, null=True)


def record(
    *, at: datetime, who: str, action: str, subject: str, old: str = "", new: str = "", reason: str = ""
) -> None:
    """Write one line, in the transaction of what it tells of."""
    AuditEntry.create(
        at=at,
        who=who,
        action=action,
        subject=subject,
        old=old or None,
        new=new or None,
        reason=reason or None,
    )
