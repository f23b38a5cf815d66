"""Every table, in the order in which they are written."""

from kerp.records.tables.columns import Table
from kerp.records.tables.conduct import ADVICE, ASKED, DEVIATIONS, FALLS
from kerp.records.tables.harms import ADVERSE_EVENTS, INTERCURRENT, MEDICATIONS
from kerp.records.tables.measures import RATINGS, RITUALS, SCORES, VITALS
from kerp.records.tables.people import GUESSES, METACOGNITIVE, PARTICIPANTS, SESSIONS, VISITS
from kerp.records.tables.treatment import BLOCKS, DOSES

TABLES: tuple[Table, ...] = (
    PARTICIPANTS,
    SESSIONS,
    DOSES,
    BLOCKS,
    RATINGS,
    FALLS,
    RITUALS,
    VITALS,
    SCORES,
    ADVERSE_EVENTS,
    MEDICATIONS,
    INTERCURRENT,
    DEVIATIONS,
    ADVICE,
    ASKED,
    VISITS,
    GUESSES,
    METACOGNITIVE,
)
