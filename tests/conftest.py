"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A machine may be busy: no law fails because an example took long.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
