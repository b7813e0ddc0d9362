"""A shop with unpaid orders, and the notices by which WeChat Pay tells that they are paid."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from benchmarks.pages.seed import CATALOGUE, new_code
from models.base import database as bound
from sandbox.pay_notices import Notices
from sandbox.pay_settings import PaySettings
from sandbox.world import World
from services import catalogue_file, catalogue_load, database
from services.config import Config
from services.env import Env
from tests.pay_load import transaction, unpaid
from wxbot.demo import merchant_of

CHUNK = 500
NOWHERE = "http://127.0.0.1:9"  # nobody is asked anything
PATH = "/wechatpay/notify"
CYCLE = """
local all, n = {}, 0
function init()
  for line in io.lines("%s") do
    local headers = {}
    for name, value in line:gmatch("([%%w-]+): ([^\\t]*)\\t") do headers[name] = value end
    all[#all + 1] = wrk.format("POST", "%s", headers, line:match("([^\\t]*)$"))
  end
end
function request()
  n = n + 1
  if n > #all then %s end
  return all[n]
end
"""


def furnish(config: Config) -> None:
    """Migrate, and load the catalogue."""
    db = database.connect(config.database_url)
    database.migrate(db)
    bound.initialize(db)
    file, lines = catalogue_file.read(CATALOGUE)
    with db.connection_context(), db.atomic():
        catalogue_load.load(env_of(config), file=file, lines=lines)


def env_of(config: Config) -> Env:
    """The environment of one transaction of ours."""
    return Env(now=datetime.now(UTC), new_code=new_code, config=config)


class Merchant:
    """The shop and its WeChat Pay."""

    def __init__(self, folder: Path) -> None:
        self.pay, self.world = PaySettings(), World()
        self.notices = Notices(self.world, self.pay)
        box = SimpleNamespace(pay=SimpleNamespace(settings=self.pay), pay_url=NOWHERE)
        self.settings = merchant_of(box, folder) | {"wechat_api_url": NOWHERE}

    @property
    def keys(self) -> list[str]:
        """What opens a notice: the file of WeChat Pay's public key, and our APIv3 key."""
        return [self.settings["pay_public_key_file"], self.pay.api_v3_key]

    def lines(self, config: Config, times: int) -> list[str]:
        """So many new orders, and a signed notice for each: its headers and its body, between tabs."""
        lines: list[str] = []
        with bound.connection_context():
            while len(lines) < times:
                with bound.atomic():
                    made = unpaid(env_of(config), times=min(CHUNK, times - len(lines)))
                lines += [self.line(config.wechat_app_id, *one) for one in made]
        return lines

    def line(self, app_id: str, number: str, openid: str) -> str:
        """The notice of one payment."""
        told = transaction(self.world, self.pay, app_id, number=number, openid=openid)
        headers, body = self.notices.wire(self.notices.tell("TRANSACTION.SUCCESS", "", told, about=number))
        return "".join(f"{name}: {value}\t" for name, value in headers.items()) + body.decode()

    def script(self, file: Path, config: Config, times: int, *, again: bool = False) -> str:
        """For `wrk`: so many new notices, each once, or all of them again and again."""
        file.write_text("\n".join(self.lines(config, times)), "utf-8")
        return CYCLE % (file, PATH, "n = 1" if again else 'error("all notices are sent")')
