"""The files that a Flink cluster and its workers are started with."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.engines import installing

LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = Console
appender.console.name = Console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss,SSS} %-5p %-60c %x - %m%n
"""

CONFIG = """\
jobmanager:
  rpc: {{address: localhost, port: {rpc}}}
  bind-host: localhost
  memory: {{process: {{size: 1024m}}}}
rest: {{address: localhost, bind-address: localhost, port: {rest}}}
taskmanager:
  host: localhost
  bind-host: localhost
  numberOfTaskSlots: {slots}
  memory:
    process: {{size: {memory}}}
    # What goes to Python waits in direct memory, for which Flink by itself leaves some 30 MB.
    task: {{off-heap: {{size: 256m}}}}
    managed: {{fraction: 0.2}}
  # Of the buffers for what tasks exchange, 512 would go to each task that writes.
  network: {{sort-shuffle: {{min-buffers: 64}}}}
# Ours and Flink's are of one version: no job brings its own.
classloader: {{resolve-order: parent-first}}
# A job starts again on what TaskManagers are left.
restart-strategy:
  type: fixed-delay
  fixed-delay: {{attempts: 5, delay: 6 s}}
# A TaskManager that two heartbeats do not reach is lost; a busy one has 30 s to answer.
heartbeat: {{interval: 1000, timeout: 30000, rpc-failure-threshold: 2}}
# What it tells of jobs, too.
web: {{submit: {{enable: false}}, refresh-interval: 300}}
# What the REST API tells of running tasks is at most so many milliseconds old.
metrics: {{fetcher: {{update-interval: 300}}}}
io: {{tmp: {{dirs: {temporary}}}}}
"""

BOOT = """\
#!/bin/sh
# Starts a Python worker in the environment that the cluster was started from.
export PATH='{programs}':"$PATH" RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1
exec '{boot}' --semi_persist_dir='{temporary}' "$@"
"""


def write_files(directory: Path, *, rpc: int, rest: int, slots: int, memory: str) -> None:
    """Writes `conf/`, `boot` and the directories for logs and temporary files."""
    temporary = directory / "temporary"
    for name in ("conf", "logs", "temporary"):
        (directory / name).mkdir()
    config = CONFIG.format(rpc=rpc, rest=rest, slots=slots, memory=memory, temporary=temporary)
    (directory / "conf" / "config.yaml").write_text(config)
    (directory / "conf" / "log4j.properties").write_text(LOG4J)
    boot = BOOT.format(
        programs=Path(sys.prefix) / "bin",
        boot=installing.go_program(installing.BOOT),
        temporary=temporary,
    )
    (directory / "boot").write_text(boot)
    (directory / "boot").chmod(0o755)
