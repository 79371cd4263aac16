"""Every model there is: under the laws as a subject, or no model, with the reason why.

A new module of models/ belongs into one of the two (`test_every_module_is_a_subject_or_no_model`).
A subject is a few lines: see `reader` for what is computed from the row, `packed_struct` for a
struct that is a whole state.
"""

from tests.laws.customer_subjects import CUSTOMER_SUBJECTS
from tests.laws.laws import Subject
from tests.laws.segment_subjects import SEGMENT_SUBJECTS
from tests.laws.shop_subjects import SHOP_SUBJECTS

SUBJECTS: dict[str, Subject] = {
    one.name: one for one in (*CUSTOMER_SUBJECTS, *SHOP_SUBJECTS, *SEGMENT_SUBJECTS)
}

_PARSES = "turns a Segment body into an event, keeps and learns nothing (test_segment_fuzz.py)"
NO_MODEL: dict[str, str] = {
    "scripts": "looks at the letters of a text, keeps nothing",
    "provider_receipts": "reads a provider's report, keeps nothing",
    "unsubscribing": "seals and reads a name, keeps nothing",
    "always_valid": "sums of one comparison, with laws of their own (test_always_valid.py)",
    "anniversary": "computes a day from a date and a zone, keeps nothing",
    "assignment": "a keyed hash of a name, keeps who was seen first (test_assignment.py)",
    "budget": "two totals that only grow, with laws of their own (test_budget.py)",
    "caps": "counts in a window, with laws of their own (test_caps.py)",
    "coupon_codes": "a keyed permutation of a serial, keeps nothing",
    "coupon_asks": "says words of an order, keeps nothing",
    "coupon_desk": "finds whose coupon it is, with laws of its own (test_coupon_desk.py)",
    "coupon_import": "reads a row of a file, keeps nothing",
    "coupon_issue": "makes a code and terms from an offer, keeps nothing",
    "coupon_orders": "notes what an order has, in any sequence the same (test_coupon_orders.py)",
    "coupon_words": "names what is said of coupons: structs and their codec",
    "coupon_news": "tells of a change as an event, keeps nothing",
    "coupons": "the life of one code, with laws of its own (test_coupons.py)",
    "discounts": "computes cents from cents, keeps nothing",
    "holidays": "a table of dates, learns nothing",
    "local_time": "computes from a moment and a zone, keeps nothing",
    "lunar_dates": "a table of dates, learns nothing",
    "clock": "names units of time, keeps nothing",
    "effects": "names what a fold asks for: structs without behaviour",
    "item_rows": "names rows and reads them, keeps nothing (subject item_knowledge)",
    "lift": "compares what was counted, keeps nothing (tests/models/test_lift.py)",
    "partition_budgets": "spends from slices, with laws of its own (test_partition_budgets.py)",
    "purse_desk": "puts a purse's answers into records (tests/simulation/test_budgets.py)",
    "playbook": "a language: reads and compiles a file, learns nothing (tests/models/playbook)",
    "triggers": "a playbook's rules at work on a row, learn nothing (tests/models/triggers)",
    "settling": "two counters of the cluster learner (subject clusters, test_settling.py)",
    "segments": "names a snapshot, and refuses it by the clusters' own check",
    "snapshot": "names what is published, and refuses it by each model's own check",
    "events": "names what arrives: structs and their codec",
    "segment": _PARSES,
    "segment_envelope": _PARSES,
    "segment_personal": _PARSES,
    "segment_shops": _PARSES,
    "segment_tracks": _PARSES,
    "segment_traits": _PARSES,
    "segment_values": _PARSES,
    "segment_words": _PARSES,
    "tokens": "a keyed hash of a name, keeps nothing",
    "view": "names what a step may look at, decides nothing",
}

KNOWN_DEFECTS: dict[tuple[str, str], str] = {}
"""(law, subject): what is broken there. Such a test must fail, so that a mending is noticed."""
