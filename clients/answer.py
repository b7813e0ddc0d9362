"""What another company answered, and the check that it has the shape they promised."""

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel
from tornado.httputil import HTTPHeaders

from clients.errors import RemoteDown

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Answer:
    """What came back, whatever its status below 500 (429 aside); the body may be nonsense."""

    peer: str
    status: int
    body: bytes
    headers: HTTPHeaders

    def __repr__(self) -> str:
        return f"<Answer {self.status} of {self.peer}>"  # bodies carry tokens and names

    def json(self) -> Any:
        """The body as UTF-8 JSON, whatever its Content-Type says; RemoteDown (unknown) when it is none."""
        with suppress(ValueError, RecursionError):
            # WeChat puts raw control characters of nicknames into its strings, hence not strict
            return json.loads(self.body.decode("utf-8-sig"), strict=False)
        raise RemoteDown(self.peer, "wrong_body", status=self.status, unknown=True)

    def read(self, model: type[Model]) -> Model:
        """The body checked against a schema; half or wrong, nobody knows what happened: RemoteDown (unknown)."""
        return shaped(self.peer, self.json(), model)


def shaped(peer: str, found: object, model: type[Model]) -> Model:
    """`found` as a `model`, else RemoteDown (unknown), which does not quote it as pydantic's error would."""
    with suppress(ValueError):
        return model.model_validate(found)
    raise RemoteDown(peer, "wrong_body", unknown=True)
