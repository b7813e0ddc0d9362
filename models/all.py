"""Every row class, in one list, for migrations and for the test that they agree."""

from models.access import Grant
from models.audit import AuditEntry
from models.bounty import Report
from models.catalogue import (
    CatalogueVersion,
    Course,
    CoursePlanet,
    Guest,
    Lecturer,
    LecturerInvite,
    Lesson,
    Planet,
    Price,
)
from models.delivery import ChatNotice, ChatQuestion, InboxItem, JobLease, OutboxItem
from models.journal import JournalEntry, JournalLine
from models.keywords import KeywordReply
from models.links import Link, LinkAttempt, Membership, MembershipReminder, RefundWaiver, RelinkPermit
from models.mismatches import Mismatch, Reconciliation
from models.news import PlanetEvent
from models.orders import Order, PayBill, PayDifference, Payment, Refund
from models.payments import PlanetAccount, PlanetPayment
from models.people import Identity, Person, Session, SignInState
from models.purchases import Platform, Purchase
from models.scans import Scan
from models.vouchers import Campaign, CampaignCourse, Redemption, Voucher

ROWS = [
    Person, Identity, Session, SignInState,
    Lecturer, LecturerInvite, Course, Lesson, Price, Planet, Guest, CoursePlanet, CatalogueVersion,
    Platform, Purchase, Grant,
    Link, LinkAttempt, RefundWaiver, Membership, MembershipReminder, RelinkPermit,
    InboxItem, OutboxItem, ChatNotice, ChatQuestion, JobLease,
    Report, KeywordReply,
    PlanetEvent, PlanetAccount, PlanetPayment, Mismatch, Reconciliation, Scan,
    Order, Payment, Refund, PayDifference, PayBill, JournalEntry, JournalLine,
    Campaign, CampaignCourse, Voucher, Redemption,
    AuditEntry,
]  # fmt: skip
