"""An index over when notices were shown: each process asks each second for those of the last minute."""


def up(migrator, db):
    migrator.migrate(migrator.add_index("chat_notice", ("shown_at",), False))
