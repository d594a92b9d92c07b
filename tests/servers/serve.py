"""Becomes a server process that does not outlive the one that wanted it: serve.py PARENT COMMAND [ARGUMENT…]

The kernel is asked to end this process with its parent, which still holds after the command has taken its place. So
no server is left behind even where the parent was killed and could not clean up.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main():
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before we asked
            sys.exit(1)
    os.execv(command[0], command)


main()
