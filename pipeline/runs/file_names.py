"""The names of the files that runs leave."""

from pipeline.runs.manifest import MANIFEST, SUCCESS

REPORT = "report.json"
METRICS = "metrics.parquet"
STATES = "states.zip"
DATA = "data.json"
ANOMALIES = "anomalies.pbtxt"
STATISTICS = "statistics.pb"

GATES = "gates.json"
BLESSED = "BLESSED"
"""The file of a run that all its gates let through."""
NOT_BLESSED = "NOT_BLESSED"
"""The file of a run that a gate did not let through."""
MARK = b"\n"
"""What these two files hold."""
GATES_FILES = (GATES, BLESSED, NOT_BLESSED)
"""The files that a run leaves if it has gates, one of the last two."""

FILES = (REPORT, METRICS, STATES, STATISTICS, ANOMALIES, DATA, *GATES_FILES, MANIFEST, SUCCESS)
"""The files that a run may leave, `_SUCCESS` last."""

FAILED_FILES = (ANOMALIES, DATA)
"""The files that a run leaves if its data must not be reported on."""
FAILED_DIRECTORY = "failed"
"""The directory, beside a result, of the files of a run whose data must not be reported on."""
