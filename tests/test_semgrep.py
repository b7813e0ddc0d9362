"""Our own semgrep rules: each finds what it is for, and nothing else; wechatpy's known faults among it."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import wechatpy

ROOT = Path(__file__).parent.parent
SEMGREP = ROOT / ".venv-check" / "bin" / "semgrep"
BAD = {
    "secret-compared-by-letter": [
        "ok = signature == given", "ok = given != signer.signature", "ok = row.key_hash == digest(key)",
        "ok = digest(key) != known", "ok = config.app_secret == asked",
    ],
    "chance-that-can-be-guessed": ["import random", "from random import choice", "import uuid\nuuid.uuid1()"],
    "clock-or-chance-of-its-own": [
        "from datetime import UTC, datetime\ndatetime.now(UTC)", "import secrets\nsecrets.token_hex(16)",
        "import time\ntime.time()", "import os\nos.urandom(16)", "import uuid\nuuid.uuid4()",
    ],
    "settings-read-elsewhere": ['import os\nos.environ["X"]', 'import os\nos.getenv("X")'],
    "redirect-from-request": [
        'def get(self):\n    self.redirect(self.get_query_argument("next"))',
        'def get(self):\n    where = self.asked("to")\n    self.see(f"/{where}")',
        'def get(self):\n    self.set_header("Location", unquote(self.field("to")))',
        "def get(self):\n    self.redirect(self.request.path.rstrip('/'))",
    ],
    "sql-put-together": [
        'db.execute_sql(f"SELECT * FROM person WHERE id = {one}")',
        'db.execute_sql("DELETE FROM x WHERE id = %s" % one)',
        'Person.raw("SELECT * FROM person WHERE id = {}".format(one))', 'cursor.execute("SELECT " + column)',
        'statement = f"SELECT {column}"\ndb.execute_sql(statement)',
    ],
    "secret-in-log": [
        'log.info("signed in", who=identity.openid)', 'log.warning("refused %s", code)', 'log.error(f"no {phone}")',
        'log.info("asked", headers=dict(request.headers))', 'log.info("x", token=x)', "self.log.debug(str(cookies))",
    ],
    "network-that-blocks": [
        "import requests", "import requests.adapters", "from urllib.request import urlopen", "import urllib.request",
        "from http.client import HTTPSConnection", "import http.client", "from wechatpy import WeChatClient",
    ],
    "query-in-handler": [
        "Person.select()", "Person.get_or_none(id=1)", "rows.execute()", "import peewee", "from peewee import fn",
        "Person.find(id=1)",
    ],
}  # fmt: skip
GOOD = {
    "secret-compared-by-letter": [
        "ok = hmac.compare_digest(signature, given)", "Session.get_or_none(Session.token_hash == digest(token))",
        "rows = Session.select().where(Session.token_hash == digest(token))", "ok = token == ''", "ok = secret is None",
        "ok = row.text_hash != text_digest(words)", "ok = status == 200",
    ],
    "chance-that-can-be-guessed": ["import randomness", "code = env.new_code(128)"],
    "clock-or-chance-of-its-own": ["now = env.now", "import datetime\ndatetime.datetime.fromtimestamp(1)"],
    "settings-read-elsewhere": ["import os\nos.kill(1, 2)", "limit = ctx.config.limits_factor"],
    "redirect-from-request": [
        'def get(self):\n    self.see(path_of(self.field("target")))',
        'def get(self, slug):\n    self.see("/me/links")',
        'async def get(self):\n    done = await links.start(agreed=self.field("waiver"))\n    self.see(done)',
    ],
    "sql-put-together": ['db.execute_sql("SELECT * FROM person WHERE id = %s", (one,))', 'words = f"{one} {two}"'],
    "secret-in-log": [
        'log.info("answered", status=status)', 'log.info("refused", code=problem.code)', 'say("x", openid)',
        'log.warning("not settled", item=job.id, why=type(problem).__name__)',
    ],
    "network-that-blocks": [
        "from clients.http import Peer", "from urllib.parse import urlsplit", "from http import HTTPStatus",
        "from http.client import HTTPException",
    ],
    "query-in-handler": [
        "await self.ctx.read(links.offer, slug=slug)", "from peewee import PeeweeException", "facts.get('id')",
    ],
}  # fmt: skip
Found = set[tuple[str, str]]


@pytest.fixture
def find(tmp_path: Path) -> Callable[[], Found]:
    """`find()`: (rule, file) of all that our rules find in the test's folder."""
    if not SEMGREP.exists():
        pytest.skip("semgrep is not installed: `make check` brings it")

    def run() -> Found:
        command = [SEMGREP, "scan", "--config", ROOT / ".semgrep.yml", "--json", "--quiet", "--metrics=off"]
        command += ["--disable-version-check", "--no-git-ignore", "."]
        settings = os.environ | {"SEMGREP_SETTINGS_FILE": str(tmp_path / "settings.yml")}
        done = subprocess.run(command, cwd=tmp_path, env=settings, capture_output=True, check=True, timeout=300)
        told = json.loads(done.stdout)
        assert not told["errors"]
        return {(one["check_id"].rpartition(".")[2], one["path"]) for one in told["results"]}

    return run


def write(folder: Path, examples: dict[str, list[str]]) -> Found:
    """Each example as a file; (rule, file) of each."""
    written: Found = set()
    for rule, texts in examples.items():
        for number, text in enumerate(texts):
            place = folder / rule / f"{number}.py"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(f"{text}\n", encoding="utf-8")
            written.add((rule, str(place)))
    return written


def test_each_rule_finds_what_it_forbids_and_leaves_the_right_way_alone(find, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    bad, good = write(Path("h5/bad"), BAD), write(Path("h5/good"), GOOD)  # every rule holds in h5
    found = find()
    assert bad - found == set(), "not found"
    assert good & found == set(), "found without reason"


def test_the_comparisons_of_wechatpy_are_found(find, tmp_path: Path) -> None:
    for file in ("crypto/__init__.py", "utils.py"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(Path(wechatpy.__file__).parent / file, tmp_path / file)
    places = {path for name, path in find() if name == "secret-compared-by-letter"}
    assert places == {"crypto/__init__.py", "utils.py"}


def test_every_rule_has_its_examples() -> None:
    lines = (ROOT / ".semgrep.yml").read_text("utf-8").splitlines()
    rules = [line.split(": ")[1] for line in lines if "- id: " in line]
    assert rules == list(BAD) == list(GOOD)
