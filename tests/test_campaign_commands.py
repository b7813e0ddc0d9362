"""`wxbot campaign`: what each has given, its limits, and vouchers for a list of people."""

from datetime import timedelta

import pytest

from models.audit import AuditEntry
from models.vouchers import Campaign, Voucher
from services import notices
from tests.buy_kit import rows
from tests.reconcile_kit import refused, types
from tests.site import START
from tests.voucher_kit import campaign, has_code, mine

pytest_plugins = ["tests.commands"]
gen = pytest.mark.gen_test(timeout=60)
pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


@gen
async def test_campaigns_are_listed_with_what_they_have_given(site, wxbot_beside):
    await has_code(site, slug="gift", quota=5, budget_fen=20000)
    done = await types(site, wxbot_beside, "campaign", "list")
    until = "until 2027-01-21 09:30Z"
    assert done.out == f"gift\tmanual\t30.00\t{until}\t1 of 5 given\t30.00 of 200.00 yuan\t0 used\n"


@gen
async def test_a_limit_is_set_and_one_below_what_was_given_is_refused(site, wxbot_beside):
    await has_code(site, slug="gift")
    done = await types(
        site, wxbot_beside, "campaign", "set", "gift", "--quota", "1", "--ends", "2026-12-01T00:00:00+08:00"
    )
    assert done.code == 0 and done.out.startswith("quota None → 1\n")
    assert "below the 1" in await refused(site, wxbot_beside, "campaign", "set", "gift", "--quota", "0")
    assert "nothing to set" in await refused(site, wxbot_beside, "campaign", "set", "gift")
    assert await refused(site, wxbot_beside, "campaign", "set", "nowhere", "--quota", "1")
    for word in ("", "  ", "长" * 17):
        assert "1 to 16 letters" in await refused(site, wxbot_beside, "campaign", "set", "gift", "--word", word)
    (row,) = await rows(site, Campaign)
    assert row.quota == 1 and row.ends_at.isoformat() == "2026-11-30T16:00:00+00:00"
    assert [one.new for one in await rows(site, AuditEntry) if one.action == "campaign changed"]


@gen
async def test_a_list_gives_each_line_one_and_again_none(site, wxbot_beside, tmp_path):
    await campaign(site, slug="gift", kind="manual")
    people = [site.phone(name).openid for name in ("anna", "bert")]
    file = tmp_path / "people.csv"
    file.write_text(f"openid,reference\n{people[0]}\n{people[1]},prize 1\n{people[1]},prize 2\n", "utf-8")
    done = await types(site, wxbot_beside, "campaign", "give", "gift", str(file), "--dry-run")
    assert done.out == "3 would be given, 0 had theirs already\n" and await rows(site, Voucher) == []
    done = await types(site, wxbot_beside, "campaign", "give", "gift", str(file))
    assert done.out == "3 given, 0 had theirs already\n"
    done = await types(site, wxbot_beside, "campaign", "give", "gift", str(file))
    assert done.out == "0 given, 3 had theirs already\n"
    assert [len(await mine(site, name)) for name in ("anna", "bert")] == [1, 2]
    texts = [one.text for one in await rows(site, notices.ChatNotice)]
    assert len(texts) == 3 and all(one.code in "".join(texts) for one in await rows(site, Voucher))
    assert await site.broken() == []


@gen
async def test_a_list_is_given_whole_or_not_at_all(site, wxbot_beside, tmp_path):
    await campaign(site, slug="gift", kind="manual", quota=1)
    await campaign(site, slug="other")
    file = tmp_path / "people.csv"
    file.write_text("oPERSON_ONE\noPERSON_TWO\n", "utf-8")
    assert await refused(site, wxbot_beside, "campaign", "give", "gift", str(file))
    assert "no live campaign" in await refused(site, wxbot_beside, "campaign", "give", "other", str(file))
    await campaign(site, slug="later", kind="manual", starts=START + timedelta(days=1))
    assert "no live campaign" in await refused(site, wxbot_beside, "campaign", "give", "later", str(file))
    file.write_text("oPERSON_ONE\nnot an openid\n", "utf-8")
    assert "line 2" in await refused(site, wxbot_beside, "campaign", "give", "gift", str(file))
