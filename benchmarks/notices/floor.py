"""The least that taking a notice can cost: prove, decrypt, one committed insert; `… FILE DSN SECONDS PEM APIV3_KEY`.

As many threads and connections as the product has for its rows. Prints how many a second, as JSON with the CPU of each.
"""

import base64
import json
import sys
import threading
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import psycopg
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

THREADS = 8
TABLE = "CREATE TABLE IF NOT EXISTS floor_notice (id BIGSERIAL PRIMARY KEY, key TEXT UNIQUE, told TEXT, at TIMESTAMPTZ)"
INSERT = "INSERT INTO floor_notice (key, told, at) VALUES (%s, %s, now())"


class Proof:
    """What has to be done to each notice before it is a row."""

    def __init__(self, pem: str, api_v3_key: str) -> None:
        self.key, self.cipher = load_pem_public_key(Path(pem).read_bytes()), AESGCM(api_v3_key.encode())
        self.number, self.mark = count(), time.time_ns()

    def opened(self, headers: Mapping[str, str], body: bytes) -> str:
        """What it tells; raises when it is forged."""
        signed = f"{headers['Wechatpay-Timestamp']}\n{headers['Wechatpay-Nonce']}\n".encode() + body + b"\n"
        self.key.verify(base64.b64decode(headers["Wechatpay-Signature"]), signed, PKCS1v15(), SHA256())
        sealed = json.loads(body)["resource"]
        what = sealed["nonce"].encode(), base64.b64decode(sealed["ciphertext"]), sealed["associated_data"].encode()
        return self.cipher.decrypt(*what).decode()

    def next_key(self) -> str:
        """A key that no row has had."""
        return f"{self.mark}-{next(self.number)}"


class Floor:
    """Takes the same notices again and again."""

    def __init__(self, file: str, dsn: str, seconds: str, pem: str, api_v3_key: str) -> None:
        self.lines = Path(file).read_text("utf-8").split("\n")
        self.dsn, self.seconds = dsn, float(seconds)
        self.proof, self.number, self.taken = Proof(pem, api_v3_key), count(), 0
        self.lock = threading.Lock()

    def take(self, rows: psycopg.Connection, number: int) -> None:
        """One notice."""
        *told, body = self.lines[number % len(self.lines)].split("\t")
        headers = dict(one.split(": ", 1) for one in told)
        rows.execute(INSERT, (self.proof.next_key(), self.proof.opened(headers, body.encode())))

    def work(self) -> None:
        """One thread with its connection, until the time is over."""
        taken = 0
        with psycopg.connect(self.dsn, autocommit=True) as rows:
            end = time.monotonic() + self.seconds
            while time.monotonic() < end:
                self.take(rows, next(self.number))
                taken += 1
        with self.lock:
            self.taken += taken

    def run(self) -> dict[str, float]:
        """All of them."""
        with psycopg.connect(self.dsn, autocommit=True) as rows:
            rows.execute(TABLE)
        threads = [threading.Thread(target=self.work) for _ in range(THREADS)]
        began, cpu = time.monotonic(), time.process_time()
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        took, spent = time.monotonic() - began, time.process_time() - cpu
        return {"rate": self.taken / took, "cpu_us": spent / self.taken * 1e6}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(Floor(*sys.argv[1:]).run()) + "\n")
