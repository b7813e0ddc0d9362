"""Bills by HTTP: asked for by their day, then downloaded from the address in the answer."""

import gzip
import hashlib
import re
from datetime import date, timedelta

from sandbox import pay_bills, pay_times
from sandbox.pay_checks import wrong
from sandbox.pay_flows import BillFile
from sandbox.pay_orders import PayNo
from sandbox.pay_web import PayHandler

GOOD_SECONDS = 300
DAYS_BACK = 92


class BillHandler(PayHandler):
    """Asks for one bill."""

    operation = "pay.bill"

    def get(self, which: str) -> None:
        """Its hash, and where it is for five minutes."""
        self.site.sweep()
        day, is_zipped = self._day(), self._one_of("tar_type", "", ("", "GZIP")) == "GZIP"
        if which == "tradebill":
            raw = pay_bills.trade_bill(self.site, day, self._one_of("bill_type", "ALL", tuple(pay_bills.COLUMNS)))
        else:
            is_basic = self._one_of("account_type", "BASIC", ("BASIC", "OPERATION", "FEES")) == "BASIC"
            raw = pay_bills.flow_bill(self.site, day) if is_basic else b""
        if not raw:
            raise PayNo(400, "NO_STATEMENT_EXIST", "账单文件不存在")
        token = self.world.new_id(bits=256)
        self.site.bill_files[token] = BillFile(raw, is_zipped, self.world.now() + GOOD_SECONDS)
        url = f"{self.request.protocol}://{self.request.host}/v3/billdownload/file?token={token}"
        hashed = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
        self.finish({"hash_type": "SHA1", "hash_value": hashed, "download_url": url})

    def _day(self) -> date:
        """A day that is over, of which the bills are made; the last three months."""
        text = self.get_query_argument("bill_date", "")
        try:
            day = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
        except ValueError:
            day = None
        if not day:
            raise wrong("/query/bill_date", text, "账单日期格式错误，应为 yyyy-MM-DD")
        today = pay_times.day_of(self.world.now())
        if not today - timedelta(days=DAYS_BACK) <= day < today:
            raise PayNo(400, "INVALID_REQUEST", "账单日期不在可下载的范围内")
        if self.world.now() < pay_times.ready_at(day):
            raise PayNo(400, "STATEMENT_CREATING", "账单生成中")
        return day

    def _one_of(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.get_query_argument(name, default)
        if value not in allowed:
            raise wrong(f"/query/{name}", value, f"参数 {name} 不在取值范围内")
        return value


class DownloadHandler(PayHandler):
    """Gives a bill that was asked for; its answer carries no signature, the hash proves it."""

    operation = "pay.bill_download"

    def get(self) -> None:
        """The file, as it is or as gzip."""
        found = self.site.bill_files.get(self.get_query_argument("token", ""))
        if not found or self.world.now() >= found.ends_at:
            raise PayNo(400, "INVALID_REQUEST", "下载地址已失效，请重新申请账单")
        self.proves_itself = False
        self.set_header("Content-Type", "application/octet-stream" if found.is_zipped else "text/plain; charset=utf-8")
        self.finish(gzip.compress(found.raw) if found.is_zipped else found.raw)


routes = [
    (r"/v3/bill/(tradebill|fundflowbill)", BillHandler),
    (r"/v3/billdownload/file", DownloadHandler),
]
