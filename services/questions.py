"""What the account has asked a follower, so that his next word can be the answer."""

import json
from datetime import timedelta

from models.delivery import ChatQuestion
from models.people import Identity
from services.env import Env

LIFE = timedelta(minutes=5)


def ask(env: Env, *, identity: Identity, topic: str, choices: list[int]) -> None:
    """Keep a question for five minutes, in place of an older one; of two asked at once either may stay."""
    life = {"asked_at": env.now, "expires_at": env.now + LIFE}
    values = {"topic": topic, "choices": json.dumps(choices)} | life
    if not ChatQuestion.change_if(ChatQuestion.identity == identity, **values):
        ChatQuestion.add_once(identity=identity, **values)


def choices_of(env: Env, *, identity: Identity, topic: str) -> list[int]:
    """The choices of the open question of this topic; empty when there is none, or its time is over."""
    row = ChatQuestion.get_or_none(identity=identity, topic=topic)
    return json.loads(row.choices) if row is not None and env.now < row.expires_at else []


def take(env: Env, *, identity: Identity, topic: str) -> list[int]:
    """The same, and the question is closed by that."""
    choices = choices_of(env, identity=identity, topic=topic)
    mine = (ChatQuestion.identity == identity, ChatQuestion.topic == topic)
    return choices if ChatQuestion.delete().where(*mine).execute() == 1 else []
