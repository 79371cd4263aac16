"""Every model there is: under the laws as a subject, or no model, with the reason why.

A new module of models/ belongs into one of the two (`test_every_module_is_a_subject_or_no_model`).
A subject is a few lines: see `reader` for what is computed from the row, `packed_struct` for a
struct that is a whole state.
"""

from tests.laws.customer_subjects import CUSTOMER_SUBJECTS
from tests.laws.laws import Subject
from tests.laws.shop_subjects import SHOP_SUBJECTS

SUBJECTS: dict[str, Subject] = {one.name: one for one in (*CUSTOMER_SUBJECTS, *SHOP_SUBJECTS)}

_PARSES = "turns a Segment body into an event, keeps and learns nothing (test_segment_fuzz.py)"
NO_MODEL: dict[str, str] = {
    "clock": "names units of time, keeps nothing",
    "effects": "names what a fold asks for: structs without behaviour",
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

_NEWCOMER = "a newcomer to a shop whose items have categories: TypeError (bincount of no weights)"
_LEARNS_NAN = "a lesson with what is no number makes every weight NaN, for good"
KNOWN_DEFECTS: dict[tuple[str, str], str] = {
    ("memory_is_bounded", "item_knowledge"): "items and categories once met are kept for ever",
    ("the_unseen_is_fine", "ranking"): _NEWCOMER,
    ("any_valid_history_is_learned", "ranking"): _NEWCOMER,
    ("what_is_no_number_never_gets_in", "ranking_learner"): _LEARNS_NAN,
    ("what_is_no_number_never_gets_in", "hazard_learner"): _LEARNS_NAN,
}
"""(law, subject): what is broken there. Such a test must fail, so that a mending is noticed."""
