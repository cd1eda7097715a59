"""Fetches the object of an event and stores output files, by the provider code of OSCAR's faas-supervisor.

    python3 -c CODE [DIRECTORY]

The event comes on standard input, the configuration from FUNCTION_CONFIG. The outputs are the files of DIRECTORY, or else
the input. Prints the seconds that this takes, without those of the start of Python and its imports.
"""

import os
import sys
import tempfile
import time

from faassupervisor.events import parse_event
from faassupervisor.storage.config import StorageConfig

event = sys.stdin.read()
with tempfile.TemporaryDirectory() as inputs, tempfile.TemporaryDirectory() as outputs:
    began = time.monotonic()
    config = StorageConfig()
    path = config.download_input(parse_event(event), inputs)
    if sys.argv[1:]:
        outputs = sys.argv[1]
    else:
        os.rename(path, os.path.join(outputs, "out.bin"))
    config.upload_output(outputs)
    print(time.monotonic() - began)
