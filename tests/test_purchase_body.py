"""What makes a repeated purchase the same one, also for a version of ours that knows more fields."""

import pytest

from services import purchases
from services.purchase_body import PurchaseBody
from tests.site import COURSE, START

gen = pytest.mark.gen_test(timeout=30)


class LaterBody(PurchaseBody):
    """The body as a later version may know it."""

    campaign: str | None = None


@pytest.mark.parametrize("database_kind", ["sqlite"])
@gen
async def test_a_field_that_comes_later_makes_no_conflict_of_what_was_told_before(site):
    told = {"course": COURSE, "phone": "13800000000", "paid_fen": 19900, "paid_at": START}
    where = {"platform": "yiling", "order_no": "A1"}
    first, _ = await site.ctx.transact(purchases.put, body=PurchaseBody(**told), **where)
    assert await site.ctx.transact(purchases.put, body=LaterBody(**told), **where) == (first, False)
