"""The guards of campaigns and vouchers; each with the tests that miss it."""

from tests.guards import Guard, Gutted

RACED = "postgresql"  # only a race shows it
ROWS, TABLES = "models/vouchers.py", "models/migrations/0008_vouchers.py"
GIVING, RULES, SPENDING = "services/vouchers.py", "services/campaigns.py", "services/redemptions.py"
EARNED, ORDERS, SHOPS = "services/earned.py", "services/orders.py", "services/purchases.py"
LOADING, REFUNDS = "services/campaign_load.py", "services/refunds.py"
COUNTED = 'Campaign.id == given("id"), within_quota, within_budget)'
KILLED = "        if grant:\n            earned.end_elsewhere(env, grant, is_overridden=bool(override))"
SCOPE = "test_redemptions.py::test_it_pays_for_what_its_campaign_says_and_for_nothing_else"
WINDOW = "test_vouchers.py::test_before_its_start_and_from_its_end_on_a_campaign_gives_nothing"
LIMITS = "test_vouchers.py::test_the_last_voucher_is_the_last"
LOWERED = "test_vouchers.py::test_a_limit_below_what_was_given_is_refused_and_one_above_is_taken"
MONEY = "test_vouchers.py::test_only_money_earns_no_gift_no_free_course_and_nothing_paid_with_a_voucher"
RISE = "test_vouchers.py::test_after_the_rise_means_at_the_raised_price"
DAYS = "test_vouchers.py::test_the_days_of_enrolling_include_their_start_and_exclude_their_end"
LISTED = "test_campaign_commands.py::test_a_list_is_given_whole_or_not_at_all"
ONE_EACH = "test_races_vouchers.py::test_one_who_asks_sixteen_times_at_once_has_one_voucher"
ONE_ORDER = "test_redemptions.py::test_the_database_keeps_one_order_for_a_voucher_and_one_voucher_for_an_order"
GONE = "test_redemptions.py::test_late_money_goes_back_when_its_voucher_is_gone"
UNPAID = "test_shared_vouchers.py::test_a_refund_while_an_unpaid_order_holds_it"
BACK = "test_shared_vouchers.py::test_a_refund_of_the_order_gives_back_exactly_what_it_took"
ELSEWHERE = "test_vouchers.py::test_one_that_was_spent_before_a_refund_at_the_platform_is_for_a_person"
TOLD = "test_vouchers.py::test_a_platform_is_told_of_a_spent_or_held_one_and_may_insist"
FOREIGN = "test_shared_vouchers.py::test_a_campaign_of_another_lecturer_or_of_another_time_gives_nothing_for_a_planet"

GIVEN = [
    Guard(TABLES, "code = CharField(max_length=16, unique=True)", "code = CharField(max_length=16)",
          "test_vouchers.py::test_a_code_that_exists_is_not_given_again"),
    Guard(TABLES, '(("campaign", "cause"), True)', '(("campaign", "cause"), False)', ONE_EACH, RACED),
    Guard(TABLES, "order = ForeignKeyField(Order, unique=True)", "order = ForeignKeyField(Order)", ONE_ORDER),
    Guard(TABLES, "active_voucher = IntegerField(null=True, unique=True)", "active_voucher = IntegerField(null=True)",
          ONE_ORDER),
    Guard(ROWS, "return self.starts_at <= now and (", "return (", LISTED),
    Guard(ROWS, "self.ends_at is None or now < self.ends_at", "self.ends_at is None or now <= self.ends_at", WINDOW),
    Guard(ROWS, "return ONE_MORE.is_one(id=self.id, fen=amount_fen)",
          "return ONE_MORE.is_one(id=self.id, fen=amount_fen) or True", LIMITS),
    Guard(ROWS, COUNTED, COUNTED.replace("within_quota, ", ""), LIMITS),
    Guard(ROWS, COUNTED, COUNTED.replace(", within_budget", ""), LIMITS),
    Guard(ROWS, "(Campaign.issued < Campaign.quota)", "(Campaign.issued <= Campaign.quota)", LIMITS),
    Guard(ROWS, '(Campaign.issued_fen + given("fen") <= Campaign.budget_fen)',
          "(Campaign.issued_fen <= Campaign.budget_fen)", LIMITS),
    Gutted(ROWS, "count_back", "None", ONE_EACH, RACED),
    Guard(ROWS, "(self.valid_days or YEAR_DAYS) + 1)", "(self.valid_days or YEAR_DAYS))",
          "test_shared_vouchers.py::test_it_is_good_for_a_year_of_shanghai_days"),
    Guard(GIVING, "            return known  # the last one", "            pass  # the last one",
          "test_races_vouchers.py::test_one_who_asks_for_the_last_one_sixteen_times_is_never_told_that_there_is_none",
          RACED),
    Guard(GIVING, "    if not made.is_new:", "    if False:", ONE_EACH, RACED),
    Guard(GIVING, "starts_at=max(env.now, refundable_until),", "starts_at=env.now,",
          "test_shared_vouchers.py::test_it_shows_at_once_and_can_be_spent_after_the_planets_own_refund_time"),
    Guard(GIVING, "paid_at = min(payment.starts_at, payment.created_at)", "paid_at = payment.starts_at",
          "test_shared_vouchers.py::test_a_renewal_that_was_paid_a_year_ahead_can_be_spent_as_soon"),
    Guard(GIVING, "PlanetPayment.status != REFUNDED, Voucher.id.is_null()", "Voucher.id.is_null()",
          "test_shared_vouchers.py::test_one_that_was_owed_and_refunded_meanwhile_is_not_issued"),
    Guard("services/voucher_reminders.py", "Voucher.id == number, Voucher.reminded_at.is_null(), reminded",
          "Voucher.id == number, reminded",
          "test_chat_vouchers.py::test_two_processes_that_found_the_same_one_remind_of_it_once"),
    Guard("services/voucher_list.py", "campaign.kind != MANUAL or ", "", LISTED),
    Guard("services/voucher_list.py", " or not campaign.is_live(now=env.now)", "", LISTED),
]  # fmt: skip

EARNING = [
    Guard(RULES, "Order.price_fen > 0, Order.voucher_fen.is_null())", "Order.price_fen > 0)", MONEY),
    Guard(RULES, "Order.state == PAID, Order.price_fen > 0, ", "Order.state == PAID, ", MONEY),
    Guard(RULES, 'Grant.live(now=given("now")), Purchase.paid_fen > 0)', 'Grant.live(now=given("now")))', MONEY),
    Guard(RULES, ' Grant.live(now=given("now")), *by_money)', " *by_money)",
          "test_vouchers.py::test_what_is_given_back_or_looked_at_earns_nothing"),
    Guard(RULES, "Campaign.kind.in_(ASKED_FOR), ", "", MONEY),
    Guard(RULES, "if campaign.course_id and paid.course_id != campaign.course_id:", "if False:",
          "test_vouchers.py::test_a_campaign_of_one_course_asks_for_that_one"),
    Guard(RULES, "paid.paid_at >= rise.from_at and ", "", RISE),
    Guard(RULES, "paid.paid_at >= rise.from_at and ", "paid.paid_at > rise.from_at and ", RISE),
    Guard(RULES, " and paid.list_fen >= rise.fen", "", RISE),
    Guard(RULES, "before[-1:] or rises", "rises[-1:]",
          "test_vouchers.py::test_a_later_rise_takes_nothing_from_who_paid_after_the_one_it_is_about"),
    Guard(RULES, "campaign.starts_at <= paid.paid_at < until", "campaign.starts_at < paid.paid_at < until", DAYS),
    Guard(RULES, "campaign.starts_at <= paid.paid_at < until", "campaign.starts_at <= paid.paid_at <= until", DAYS),
    Guard(RULES, "live = [row for row in rows if row.is_live(now=env.now)]", "live = list(rows)", FOREIGN),
    Guard(RULES, " and row.lecturer_id in {None, planet.owner_id}", "", FOREIGN),
    Gutted(RULES, "check_limits", "None", LOWERED),
    Guard(RULES, "if quota is not None and quota < campaign.issued:", "if False:", LOWERED),
    Guard(RULES, "if budget is not None and budget < campaign.issued_fen:", "if False:", LOWERED),
    Guard(RULES, "if campaign.kind == SHARED_PLANET and (quota, budget) != (None, None):", "if False:",
          "test_shared_vouchers.py::test_no_limit_cuts_what_was_paid"),
    Guard(RULES, "    Campaign.update(issued=Campaign.issued).where(Campaign.slug == slug).execute()", "    #",
          "test_races_vouchers.py::test_a_limit_that_is_lowered_while_people_ask_holds_or_is_refused", RACED),
    Guard(RULES, '(end := values.get("ends_at")) and end <= campaign.starts_at', "False", LOWERED),
    Guard(LOADING, "if old.issued and (old.kind, old.bearer)", "if False and (old.kind, old.bearer)",
          "test_vouchers.py::test_a_campaign_that_has_given_keeps_its_kind_and_its_bearer"),
    Guard(LOADING, "        campaigns.check_limits(old, values)\n", "        pass\n", LOWERED),
    Guard("wxbot/campaigns.py", "if word is not None and not 0 < len(word.strip()) <= MOST_WORD:", "if False:",
          "test_campaign_commands.py::test_a_limit_is_set_and_one_below_what_was_given_is_refused"),
]  # fmt: skip

SPENT = [
    Guard(ROWS, "if self.state in GONE:", "if False:", "test_redemptions.py::test_a_used_one_is_not_used_again"),
    Guard(ROWS, "if self.state == HELD:\n            raise VoucherHeld", "if False:\n            raise VoucherHeld",
          "test_redemptions.py::test_at_another_checkout_one_that_is_held_is_shown_with_its_reason_and_not_offered"),
    Guard(ROWS, "if now >= self.expires_at:", "if now > self.expires_at:",
          "test_redemptions.py::test_an_expired_one_says_when_it_ended"),
    Guard(ROWS, "if now < self.starts_at:", "if False:",
          "test_shared_vouchers.py::test_it_shows_at_once_and_can_be_spent_after_the_planets_own_refund_time"),
    Guard(ROWS, "if now < self.starts_at:", "if now <= self.starts_at:",
          "test_shared_vouchers.py::test_it_shows_at_once_and_can_be_spent_after_the_planets_own_refund_time"),
    Guard(ROWS, "if not self.campaign.scope().has(course):", "if False:", SCOPE),
    Guard(ROWS, "if price_fen < self.campaign.min_fen:", "if False:", SCOPE),
    Guard(ROWS, "if listed.get(course.id) or ", "if ", SCOPE),
    Guard(ROWS, " or course.id == campaign.course_id:", ":", SCOPE),
    Guard(ROWS, "campaign.lecturer_id and campaign.lecturer_id != course.lecturer_id", "False", SCOPE),
    Guard(ROWS, "return course.id in listed if False in listed.values() else True", "return True", SCOPE),
    Guard(ROWS, "cls.update(state=cls.state).where(*conditions).execute()", "cls.select()",
          "test_races_vouchers.py::test_a_refund_beside_many_spendings_ends_all_or_waits_for_all", RACED),
    Guard(GIVING, "Voucher.get_or_none(code=typed_code(code), person=person_id)",
          "Voucher.get_or_none(code=typed_code(code))",
          "test_redemptions.py::test_anothers_and_an_unknown_code_get_the_same_answer"),
    Guard("h5/orders.py", '            await self.limit("voucher")', "            pass",
          "test_redemptions.py::test_the_61st_guess_within_an_hour_is_stopped_and_nobody_else_is"),
    Guard("services/limits.py", '"voucher": Limit(60, 3600)', '"voucher": Limit(61, 3600)',
          "test_redemptions.py::test_the_61st_guess_within_an_hour_is_stopped_and_nobody_else_is"),
    Guard(ORDERS, "    voucher.check_pays_for(course, offer.price_fen, now=env.now)\n", "", SCOPE),
    Guard(ORDERS, "off_fen = min(voucher.amount_fen, list_fen)", "off_fen = voucher.amount_fen",
          "test_redemptions.py::test_a_price_never_falls_below_nothing_and_such_an_order_needs_no_pay"),
    Guard(SPENDING, "if not voucher.move(HELD, only_from=(OPEN,)):\n        raise VoucherHeld",
          "voucher.move(HELD, only_from=(OPEN,))", "test_races_vouchers.py::test_one_code_is_spent_once", RACED),
    Guard(SPENDING, "env.now >= voucher.expires_at or ", "", GONE),
    Guard(SPENDING, "or not voucher.move(HELD, only_from=(OPEN,))", "or voucher.move(HELD, only_from=(OPEN,)) is None",
          GONE),
    Guard(SPENDING, "    if voucher.killed_at:\n", "    if False:\n", UNPAID),
    Guard(SPENDING, " and voucher.campaign.kind == SHARED_PLANET:", ":",
          "test_redemptions.py::test_a_price_never_falls_below_nothing_and_such_an_order_needs_no_pay"),
    Gutted(SPENDING, "is_of_its_planet", "False",
           "test_shared_vouchers.py::test_what_was_bought_with_it_does_not_open_the_planet_again"),
    Guard(SPENDING, "and Voucher.get_by_id(voucher.id).killed_at:", "and False:", UNPAID),
    Guard(SPENDING, "if rest is None or rest.move(DEAD, only_from=(OPEN,)):", "if rest is None:", BACK),
    Guard(SPENDING, "if rest is None or rest.move(DEAD, only_from=(OPEN,)):", "if True:", BACK),
]  # fmt: skip

REFUNDED = [
    Guard(EARNED, "if voucher.state == HELD:", "if False:",
          "test_vouchers.py::test_one_that_an_unpaid_order_has_is_decided_first"),
    Guard(EARNED, "        voucher.move(RESTING, only_from=(OPEN,))\n", "",
          "test_vouchers.py::test_a_refund_of_what_earned_it_ends_an_unspent_one"),
    Gutted(EARNED, "worth_spent", "0", "test_vouchers.py::test_a_spent_one_is_taken_off_the_refund_and_said_before"),
    Gutted(EARNED, "wake", "None", "test_vouchers.py::test_a_refund_that_is_refused_leaves_it_as_it_was"),
    Gutted(EARNED, "end", "None", "test_vouchers.py::test_whatever_an_operator_gives_back_of_all_ends_an_unspent_one"),
    Guard(EARNED, "if not voucher.move(DEAD, only_from=(OPEN, RESTING)) and voucher.state == USED:", "if False:",
          "test_shared_vouchers.py::test_a_refund_at_the_planet_ends_it"),
    Guard(EARNED, "only_from=(OPEN, RESTING)) and voucher.state == USED:", "only_from=(OPEN, RESTING)):", ELSEWHERE),
    Guard(SHOPS, KILLED, "", ELSEWHERE),
    Guard(EARNED, "if any(one.state == HELD for one in Voucher.locked(its)):", "if False:", TOLD),
    Guard(EARNED, "if worth_fen := worth_spent(grant):", "if worth_fen := 0:", TOLD),
    Guard(SHOPS, KILLED, KILLED.replace("if grant", "if True"),
          "test_vouchers.py::test_a_refund_of_a_purchase_that_nobody_claimed_ends_no_voucher"),
    Guard(REFUNDS, "if left_fen and worth_fen >= left_fen:", "if left_fen and worth_fen > left_fen:",
          "test_vouchers.py::test_one_that_is_worth_all_of_it_leaves_nothing_to_refund"),
    Guard(REFUNDS, "if earned.rest(refund.grant) and refund.amount_fen == refund.payment.arrived_fen:",
          "if False:", "test_vouchers.py::test_a_refund_that_failed_is_counted_anew_when_a_voucher_was_spent_since"),
    Guard(REFUNDS, "    worth_fen = earned.rest(grant)\n", "    worth_fen = earned.worth_spent(grant)\n",
          "test_vouchers.py::test_whatever_an_operator_gives_back_of_all_ends_an_unspent_one"),
]  # fmt: skip

VOUCHERS = [*GIVEN, *EARNING, *SPENT, *REFUNDED]
