"""The guards of the way from the planet, and of what is paid there; each with the tests that miss it."""

from tests.guards import Guard, Gutted

RACED = "postgresql"  # only a race shows it
ROWS, ARRIVALS = "services/payments.py", "services/arrivals.py"
TABLES = "models/migrations/0005_planet_side.py"
TURNS = "test_races_payments.py::test_who_is_at_a_planet_account_keeps_others_waiting"

PAYMENTS = [
    Guard(TABLES, '(("provider", "member_uid"), True)', '(("provider", "member_uid"), False)', TURNS, RACED),
    Gutted(ROWS, "hold_account", "None", TURNS, RACED),
    Guard(ROWS, ", PlanetPayment.status != REFUNDED)", ")",
          "test_payments.py::test_a_refund_before_the_purchase_gives_nothing_ever"),
    Guard(ROWS, "free = (PlanetPayment.id == payment.id, PlanetPayment.waiting(now=env.now))",
          "free = (PlanetPayment.id == payment.id,)",
          "test_races_payments.py::test_one_payment_brought_by_sixteen_people_serves_one", RACED),
    Guard(ROWS, "if payment.paid_fen is None or payment.paid_fen * 100 < floor:", "if payment.paid_fen is None:",
          "test_arrivals.py::test_a_payment_below_the_floor_gives_nothing_and_is_listed"),
    Guard(ROWS, "if link and memberships.hold_link(link.id):", "if link:",
          "test_races_payments.py::test_a_payment_told_while_the_link_ends_waits", RACED),
    Guard("models/payments.py", " & (cls.status == ACTIVE)", "",
          "test_payments.py::test_what_was_over_before_anybody_brought_it_gives_nothing"),
    Guard("models/payments.py", "cls.served_at.is_null() & ", "",
          "test_arrivals.py::test_a_payment_that_served_one_person_serves_no_second"),
    Guard("models/payments.py", " & not_over", "",
          "test_payments.py::test_a_kept_payment_whose_year_is_over_gives_nothing_though_nobody_said_so"),
    Guard(ARRIVALS, "if payments.live_pairing(planet.provider, planet.group_id) is None:", "if False:",
          "test_arrivals.py::test_a_pairing_that_is_paused_lets_nobody_in"),
    Guard("services/departures.py", "if agreed != WAIVER_VERSION:", "if False:",
          "test_arrivals.py::test_without_the_tick_nothing_begins"),
    Guard(ARRIVALS, "    attempt.check_words()\n", "",
          "test_arrivals.py::test_words_that_changed_since_he_read_them_bind_nobody"),
    Guard(ARRIVALS, "    if not live:\n        raise NotAMember\n", "",
          "test_arrivals.py::test_who_has_no_payment_that_holds_gets_nothing_and_nothing_changes"),
    Guard(ARRIVALS, 'one.source == "paid" and ', "",
          "test_arrivals.py::test_a_membership_with_an_order_that_is_none_of_a_payment_does_not_count"),
    Guard(ARRIVALS, "    if not has_served(link, brought):\n        raise PaymentServed\n", "",
          "test_arrivals.py::test_a_payment_that_served_one_person_serves_no_second"),
    Guard("services/lecturers.py", "Planet.select().join(Lecturer).where(Lecturer.person == person_id, ",
          "Planet.select().join(Lecturer).where(",
          "test_lecturer.py::test_the_qr_of_another_lecturers_planet_is_not_his"),
    Guard("services/memberships.py", "elif want.is_removed:", "elif False:",
          "test_payments.py::test_a_later_change_asks_for_no_membership_of_whom_the_owner_removed_but_a_person_may"),
]  # fmt: skip
