"""A process of its own that appends entries as fast as it can, each of them twice (test_concurrent_writers.py).

Prints the id of every entry after it was acknowledged, so that the test knows what must be there after a kill.
"""

import sys
import uuid

import django

django.setup()

from kerp.session.events import SudsRated  # noqa: E402
from kerp.web.actions import record  # noqa: E402

log_id, name, count = uuid.UUID(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for number in range(count):
    one = record.Submitted(id=uuid.uuid4(), event=SudsRated(value=number % 101), occurred_ms=number, device=name)
    for _ in range(2):
        record.append(log_id=log_id, actor=name, submitted=one)
    print(one.id, flush=True)
