"""What the account has asked a follower, so that his next word can be the answer."""

import json
from datetime import timedelta

from models.delivery import ChatQuestion
from models.people import Identity
from services.env import Env

LIFE = timedelta(minutes=5)


def ask(env: Env, *, identity: Identity, topic: str, choices: list[int]) -> None:
    """Keep a question for five minutes, in place of an older one."""
    ChatQuestion.delete().where(ChatQuestion.identity == identity).execute()
    life = {"asked_at": env.now, "expires_at": env.now + LIFE}
    ChatQuestion.create(identity=identity, topic=topic, choices=json.dumps(choices), **life)


def take(env: Env, *, identity: Identity, topic: str) -> list[int]:
    """The choices of the open question of this topic, which is closed by that; empty when there is none."""
    row = ChatQuestion.get_or_none(identity=identity, topic=topic)
    if row is None or ChatQuestion.delete().where(ChatQuestion.id == row.id).execute() != 1:
        return []
    return json.loads(row.choices) if env.now < row.expires_at else []


def is_open(env: Env, *, identity: Identity, topic: str) -> bool:
    """Whether an answer is still awaited."""
    row = ChatQuestion.get_or_none(identity=identity, topic=topic)
    return row is not None and env.now < row.expires_at
