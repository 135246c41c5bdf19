"""python -m landmarks.launched OPTIONS: Accelerate's launcher, which ends with the process that started it.

The elastic agent gives every process that it starts a session of its own, which no signal to a group reaches: they watch the agent
(cli.py), and the agent watches the process that launched it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from landmarks.launch import REFUSAL_FILE
from landmarks.lifeline import environment_of_child, watch_parent


def main() -> int:
    """Launch as typed; returns 0, 2 where the processes do not meet or one stopped with a message, or 128 + the signal that ended one.

    Raises as Accelerate does where a process failed. Why they do not meet is written to the file REFUSAL_FILE.
    """
    watch_parent()
    refusal = Path(os.environ[REFUSAL_FILE])
    os.environ.update(environment_of_child())
    os.environ["TORCHELASTIC_SIGNALS_TO_HANDLE"] = "SIGTERM"  # on which the agent ends its processes
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the launching process gets it, and passes it on as SIGTERM
    from accelerate.commands.launch import main as launch
    from torch.distributed import DistError
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        launch()
    except SignalException as ended:
        return 128 + ended.sigval
    except ChildFailedError as error:
        if refusal.exists():  # the process has said why: no traceback of the launcher below it
            return 2
        # Where one was ended, the others fail as well: they talk to each other. After Ctrl-C it says so itself, with 130.
        codes = [128 - code if code < 0 else code for code in (failure.exitcode for failure in error.failures.values())]
        if max(codes) <= 128:
            raise
        return max(codes)
    except (ConnectionError, DistError) as error:
        refusal.write_text(str(error).splitlines()[0], encoding="utf-8")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
