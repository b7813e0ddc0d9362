"""Invariants of scan-to-confirm."""

from collections.abc import Iterable
from datetime import timedelta

from peewee import JOIN

from models import scans
from models.links import LinkAttempt
from models.scans import Scan
from services.env import Env
from services.invariants import invariant
from services.links import LINKED


@invariant("I12", "a scan has one scanner, who alone confirmed it, and its hand-over is his")
def one_scanner(env: Env) -> Iterable[str]:
    nobody = Scan.scanned_by.is_null() & (Scan.confirmed_at.is_null(False) | Scan.scanned_at.is_null(False))
    other = LinkAttempt.person != Scan.scanned_by
    for row in Scan.select().join(LinkAttempt, JOIN.LEFT_OUTER).where(nobody | other):
        yield f"scan {row.id}"


@invariant("I14", "no scan moved on after its life was over")
def scanned_in_time(env: Env) -> Iterable[str]:
    for row in Scan.select().where(Scan.scanned_at.is_null(False)).iterator():
        is_late = row.scanned_at >= row.created_at + timedelta(seconds=env.config.scan_seconds)
        held_until = min(row.scanned_at + scans.SCANNED_LIFE, row.created_at + scans.LONGEST_LIFE)
        if is_late or (row.confirmed_at and row.confirmed_at >= held_until):
            yield f"scan {row.id}"


@invariant("I15", "a scan for linking signs nobody in, and a linked one has its link")
def linking_is_no_sign_in(env: Env) -> Iterable[str]:
    signed_in = (Scan.purpose == scans.LINK) & (Scan.state == scans.DONE)
    not_linked = (Scan.state == scans.LINKED) & (LinkAttempt.outcome.is_null() | (LinkAttempt.outcome != LINKED))
    for row in Scan.select().join(LinkAttempt, JOIN.LEFT_OUTER).where(signed_in | not_linked):
        yield f"scan {row.id}"
