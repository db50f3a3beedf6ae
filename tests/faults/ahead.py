"""``wirewatch`` on a machine whose clock is wrong: ``python -m tests.faults.ahead SECONDS CONSTANTS run ...``.

``time``, ``datetime`` and all that read the system's clock through them go ahead by so many seconds, in this process
and in all that are forked from it. The monotonic clock is right, as on such a machine.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta

import time_machine

from tests.service.entry import change

if __name__ == "__main__":
    # Nobody stops the traveller: the process ends with it.
    time_machine.travel(datetime.now(UTC) + timedelta(seconds=float(sys.argv[1])), tick=True).start()  # noqa: TID251
    change(json.loads(sys.argv[2]))
    sys.argv = ["wirewatch", *sys.argv[3:]]
    from worker.cli import main

    main()
