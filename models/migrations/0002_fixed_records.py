"""Records that nobody may rewrite: the database itself refuses, whatever the code above it does.

A waiver of a refund (B2) may only lose its personal marks when a person leaves WeChat; the audit log nothing at all.
"""

from peewee import MySQLDatabase, PostgresqlDatabase

KEPT = (
    "person_id",
    "grant_id",
    "link_id",
    "attempt_id",
    "text_version",
    "text_hash",
    "text",
    "agreed_at",
    "effective_at",
)
RULES = [
    ("refund_waiver", "UPDATE", " OR ".join(f"NEW.{column} <> OLD.{column}" for column in KEPT)),
    ("refund_waiver", "DELETE", "1 = 1"),
    ("audit_entry", "UPDATE", "1 = 1"),
    ("audit_entry", "DELETE", "1 = 1"),
]


def refusal(db, table, verb, condition):
    """The trigger in the database's own words."""
    name = f"{table}_{verb.lower()}_refused"
    text = f"{table} cannot be changed"
    if isinstance(db, PostgresqlDatabase):
        body = f"BEGIN IF {condition} THEN RAISE EXCEPTION '{text}'; END IF; RETURN NEW; END"
        yield f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"
        yield f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    elif isinstance(db, MySQLDatabase):
        signal = f"SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{text}'"
        yield f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW IF {condition} THEN {signal}; END IF"
    else:
        raised = f"SELECT RAISE(ABORT, '{text}')"
        yield f"CREATE TRIGGER {name} BEFORE {verb} ON {table} WHEN {condition} BEGIN {raised}; END"


def up(migrator, db):
    for table, verb, condition in RULES:
        for statement in refusal(db, table, verb, condition):
            db.execute_sql(statement)
