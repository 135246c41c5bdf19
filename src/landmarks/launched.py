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
    """Launch as typed; returns 0, 2 where the machines do not meet or a process stopped with a message, or 128 + the signal that ended it.

    Raises as Accelerate does where a process failed.
    """
    watch_parent()
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
    except ChildFailedError:
        if Path(os.environ[REFUSAL_FILE]).exists():  # the process has said why: no traceback of the launcher below it
            return 2
        raise
    except (ConnectionError, DistError) as error:
        print(f"error: the processes cannot meet: {str(error).splitlines()[0]}", file=sys.stderr)
        several = "--num_machines" in sys.argv and sys.argv[sys.argv.index("--num_machines") + 1] != "1"
        here = "a free port in run.address, and the same command on every machine, within 15 minutes"
        print(f"  next:  {here if several else 'the same command again'}", file=sys.stderr, flush=True)
        Path(os.environ[REFUSAL_FILE]).touch()
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
